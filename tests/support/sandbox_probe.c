// What system calls answer in a RUN, one a line: NAME=allowed or NAME=ERRNO. Arguments are names of abstract sockets,
// paths of sockets with a '/' in front, and TCP ports: NAME is the argument then.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void say(const char* name, long result) {
  printf("%s=%s\n", name, result < 0 ? strerrorname_np(errno) : "allowed");
  fflush(stdout);
}

static void try_socket(const char* name, int family, int type) {
  const int fd = socket(family, type, 0);
  say(name, fd);
  if (fd >= 0) close(fd);
}

static void try_connect(const char* where) {
  int fd = -1;
  long result = -1;
  const int port = atoi(where);
  if (port > 0) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    result = connect(fd, (struct sockaddr*)&address, sizeof address);
  } else {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const size_t start = where[0] == '/' ? 0 : 1;
    strncpy(address.sun_path + start, where, sizeof address.sun_path - 2);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    result = connect(fd, (struct sockaddr*)&address,
                     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + start + strlen(where)));
  }
  say(where, result);
  close(fd);
}

// How a 32-bit program makes a socket. "none" where the machine has no such programs.
static void try_socketcall(void) {
#ifdef __x86_64__
  static unsigned arguments[3] = {AF_UNIX, SOCK_STREAM, 0};  // of a static program: below 4 GiB
  int status = 0;
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    long result = 102;  // socketcall(SYS_SOCKET, arguments)
    __asm__ volatile("int $0x80" : "+a"(result) : "b"(1), "c"(arguments) : "memory");
    _exit(result < 0 ? (int)-result : 0);
  }
  waitpid(child, &status, 0);
  errno = WEXITSTATUS(status);
  if (WIFEXITED(status)) return say("socketcall", errno == 0 ? 0 : -1);
#endif
  printf("socketcall=none\n");
}

int main(int count, char** arguments) {
  say("keyctl", syscall(SYS_keyctl, 0, -3, 0));  // KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING
  say("add-key", syscall(SYS_add_key, "user", "probe", "x", 1, -3));
  say("request-key", syscall(SYS_request_key, "user", "kiln-canary", NULL, 0));
  try_socket("crypto-socket", AF_ALG, SOCK_SEQPACKET);
  try_socket("vsock", AF_VSOCK, SOCK_STREAM);
  try_socket("obsolete-socket", AF_DECnet, SOCK_STREAM);
  try_socket("packet-socket", AF_PACKET, SOCK_RAW);
  try_socket("unix-socket", AF_UNIX, SOCK_STREAM);
  try_socketcall();
  union bpf_attr program = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
  say("bpf", syscall(SYS_bpf, BPF_MAP_CREATE, &program, sizeof program));
  struct perf_event_attr event = {.type = PERF_TYPE_SOFTWARE, .size = sizeof event};
  say("perf", syscall(SYS_perf_event_open, &event, 0, -1, -1, 0));
  say("userfaultfd", syscall(SYS_userfaultfd, 0));
  char ring[120] = {0};
  say("io-uring", syscall(SYS_io_uring_setup, 1, ring));
  struct file_handle* handle = calloc(1, sizeof *handle + 128);
  handle->handle_bytes = 128;
  say("open-by-handle", syscall(SYS_open_by_handle_at, AT_FDCWD, handle, O_RDONLY));
  say("pivot-root", syscall(SYS_pivot_root, "/", "/"));
  say("open-tree", syscall(SYS_open_tree, AT_FDCWD, "/", 1));
  say("setns", syscall(SYS_setns, open("/proc/self/ns/net", O_RDONLY), 0));
  say("swap", syscall(SYS_swapoff, "/nowhere"));
  say("module", syscall(SYS_delete_module, "nowhere", 0));
  say("kexec", syscall(SYS_kexec_load, 0, 0, 0, 0));
  say("reboot", syscall(SYS_reboot, 0, 0, 0, 0));
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  say("set-clock", syscall(SYS_clock_settime, CLOCK_REALTIME, &now));
  const struct rlimit limit = {1 << 30, 1 << 30};
  say("raise-limit", setrlimit(RLIMIT_NOFILE, &limit));
  say("raise-priority", setpriority(PRIO_PROCESS, 0, -10));
  say("terminal", open("/dev/tty", O_RDWR));
  for (int fd = 0; fd < 3; ++fd) {
    char name[] = "type-into-0";
    name[10] = (char)('0' + fd);
    say(name, ioctl(fd, TIOCSTI, "x"));
  }
  for (int i = 1; i < count; ++i) try_connect(arguments[i]);
  return 0;
}
