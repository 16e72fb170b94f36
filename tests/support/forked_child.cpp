#include "tests/support/forked_child.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <exception>
#include <stdexcept>

namespace kiln {

namespace {

void write_line(int fd, std::string_view line) {
  const std::string text = std::string(line) + "\n";
  if (::write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    throw std::runtime_error("the other process has ended");
  }
}

std::string read_line(int fd) {
  std::string line;
  for (char c; ::read(fd, &c, 1) == 1 && c != '\n';) line += c;
  return line;
}

}  // namespace

void ForkedChild::Link::say(std::string_view line) { write_line(to_parent_, line); }
std::string ForkedChild::Link::hear() { return read_line(from_parent_); }

ForkedChild::ForkedChild(const std::function<int(Link&)>& body) {
  int down[2], up[2];
  if (::pipe2(down, O_CLOEXEC) != 0 || ::pipe2(up, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  std::fflush(nullptr);
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("cannot fork");
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::close(down[1]);
    ::close(up[0]);
    Link link(down[0], up[1]);
    int code = 70;
    try {
      code = body(link);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "child: %s\n", error.what());
    }
    ::_exit(code);
  }
  ::close(down[0]);
  ::close(up[1]);
  to_child_ = down[1];
  from_child_ = up[0];
}

ForkedChild::~ForkedChild() {
  if (pid_ > 0) {
    kill();
    wait();
  }
  ::close(to_child_);
  ::close(from_child_);
}

void ForkedChild::say(std::string_view line) { write_line(to_child_, line); }
std::string ForkedChild::hear() { return read_line(from_child_); }
void ForkedChild::kill() { ::kill(pid_, SIGKILL); }

int ForkedChild::wait() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace kiln
