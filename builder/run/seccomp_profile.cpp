#include "builder/run/seccomp_profile.hpp"

#include <sched.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/text.hpp"

namespace kiln {

namespace {

// Allowed whatever the arguments. ptrace and its like are safe since Linux 4.8; chroot comes with CAP_SYS_CHROOT, which
// is among the default capabilities. A name that the runtime's libseccomp does not know is passed over by it.
constexpr std::string_view kAllowed =
    "_llseek _newselect accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod chown "
    "chown32 chroot clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 "
    "clock_nanosleep clock_nanosleep_time64 close close_range connect copy_file_range creat dup dup2 dup3 "
    "epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old "
    "eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate "
    "fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr "
    "flistxattr flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate "
    "ftruncate64 futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake futimesat get_robust_list "
    "get_thread_area getcpu getcwd getdents getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32 "
    "getgroups getgroups32 getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid "
    "getresgid32 getresuid getresuid32 getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday "
    "getuid getuid32 getxattr getxattrat inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel "
    "io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit ioctl ioprio_get ioprio_set "
    "ipc kill landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lchown32 lgetxattr link "
    "linkat listen listxattr listxattrat llistxattr lremovexattr lseek lsetxattr lstat lstat64 madvise "
    "map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2 "
    "mlockall mmap mmap2 mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 "
    "mq_timedsend mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync munlock munlockall "
    "munmap name_to_handle_at nanosleep newfstatat open openat openat2 pause pidfd_open pidfd_send_signal pipe "
    "pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv preadv2 prlimit64 "
    "process_mrelease process_vm_readv process_vm_writev pselect6 pselect6_time64 ptrace pwrite64 pwritev "
    "pwritev2 read readahead readlink readlinkat readv recv recvfrom recvmmsg recvmmsg_time64 recvmsg "
    "remap_file_pages removexattr removexattrat rename renameat renameat2 restart_syscall rmdir rseq rt_sigaction "
    "rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait "
    "rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity "
    "sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 "
    "sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp select semctl semget "
    "semop semtimedop semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg sendto set_robust_list "
    "set_thread_area set_tid_address setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups "
    "setgroups32 setitimer setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 "
    "setreuid setreuid32 setrlimit setsid setsockopt setuid setuid32 setxattr setxattrat shmat shmctl shmdt "
    "shmget shutdown sigaltstack signalfd signalfd4 sigprocmask sigreturn socketcall socketpair splice stat "
    "stat64 statfs statfs64 statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time "
    "timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 "
    "timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times tkill truncate "
    "truncate64 ugetrlimit umask uname unlink unlinkat utime utimensat utimensat_time64 utimes vfork vmsplice "
    "wait4 waitid waitpid write writev ";

// The runtime compiles the list anew for each container and each kind of calls, so kinds are few: x32 alone, which
// kernels of today do not offer, would make starting a container take half as long again. Calls of a kind that is not
// named kill the process.
struct ArchitectureRules {
  std::string_view architecture;
  std::vector<std::string_view> names;  // as libseccomp calls it, and its 32-bit calls
  std::string_view allowed;
  unsigned clone_flags_argument = 0;
};

const std::array<ArchitectureRules, 6>& architecture_rules() {
  static const std::array<ArchitectureRules, 6> rules = {{
      {"amd64", {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86"}, "arch_prctl modify_ldt ", 0},
      {"arm64",
       {"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"},
       "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls ",
       0},
      {"arm",
       {"SCMP_ARCH_ARM"},
       "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls ",
       0},
      {"ppc64le", {"SCMP_ARCH_PPC64LE"}, "sync_file_range2 swapcontext ", 0},
      {"riscv64", {"SCMP_ARCH_RISCV64"}, "riscv_flush_icache ", 0},
      {"s390x", {"SCMP_ARCH_S390X", "SCMP_ARCH_S390"}, "s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr ", 1},
  }};
  return rules;
}

// PER_LINUX and PER_LINUX32, each with and without UNAME26, and the question for the current one.
constexpr std::array<std::uint64_t, 5> kPersonalities = {0x0, 0x8, 0x20000, 0x20008, 0xffffffff};

// How 32-bit programs make sockets, and say the family where no filter can read it.
constexpr std::string_view kSocketcall = "socketcall";

// Families of sockets, by number (socket.h): all below the first number, and these above it. Left out are vsock (40),
// which reaches the hypervisor, the kernel's cryptography (38), and what loads modules out of use: DECnet,
// Econet, ATM's, IrDA, WANPIPE, ISDN, CAIF, and all above MCTP.
constexpr std::uint64_t kFirstSparseFamily = 12;
constexpr std::array<std::uint64_t, 25> kAllowedFamilies = {13, 14, 15, 16, 17, 18, 21, 22, 24, 26, 27, 28, 29,
                                                            30, 31, 32, 33, 35, 36, 39, 41, 42, 43, 44, 45};

constexpr std::uint64_t kNamespaceFlags =
    CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP;

nlohmann::json allow_where(const char* name, unsigned argument, std::uint64_t value, std::uint64_t value_two,
                           const char* comparison) {
  return {{"names", {name}},
          {"action", "SCMP_ACT_ALLOW"},
          {"args", {{{"index", argument}, {"value", value}, {"valueTwo", value_two}, {"op", comparison}}}}};
}

}  // namespace

nlohmann::json seccomp_profile(std::string_view architecture, RunSecurity security) {
  nlohmann::json profile = {{"defaultAction", "SCMP_ACT_ERRNO"}, {"defaultErrnoRet", EPERM}};
  std::string allowed(kAllowed);
  unsigned clone_flags_argument = 0;
  for (const ArchitectureRules& rules : architecture_rules()) {
    if (rules.architecture != architecture) continue;
    profile["architectures"] = rules.names;
    allowed += rules.allowed;
    clone_flags_argument = rules.clone_flags_argument;
  }
  nlohmann::json names = nlohmann::json::array();
  const bool is_hardened = security == RunSecurity::hardened;
  for (const std::string_view name : split(allowed, ' ')) {
    if (!name.empty() && !(is_hardened && name == kSocketcall)) names.push_back(name);
  }
  nlohmann::json calls = nlohmann::json::array();
  calls.push_back({{"names", std::move(names)}, {"action", "SCMP_ACT_ALLOW"}});
  calls.push_back(allow_where("socket", 0, kFirstSparseFamily, 0, "SCMP_CMP_LT"));
  for (const std::uint64_t family : kAllowedFamilies) {
    calls.push_back(allow_where("socket", 0, family, 0, "SCMP_CMP_EQ"));
  }
  for (const std::uint64_t persona : kPersonalities) {
    calls.push_back(allow_where("personality", 0, persona, 0, "SCMP_CMP_EQ"));
  }
  calls.push_back(allow_where("clone", clone_flags_argument, kNamespaceFlags, 0, "SCMP_CMP_MASKED_EQ"));
  // libseccomp lets socketcall through where it lets socket through, unless a rule of its own says otherwise.
  if (is_hardened) calls.push_back({{"names", {kSocketcall}}, {"action", "SCMP_ACT_ERRNO"}, {"errnoRet", ENOSYS}});
  calls.push_back({{"names", {"clone3"}}, {"action", "SCMP_ACT_ERRNO"}, {"errnoRet", ENOSYS}});
  profile["syscalls"] = std::move(calls);
  return profile;
}

}  // namespace kiln
