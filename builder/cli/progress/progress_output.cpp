#include "builder/cli/progress/progress_output.hpp"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "base/cancel.hpp"
#include "base/text.hpp"

namespace kiln {

void ProgressOutput::write(std::string_view bytes) {
  while (!broken_ && !bytes.empty()) {
    const ssize_t count = ::write(fd_, bytes.data(), bytes.size());
    if (count >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      pollfd ready{fd_, POLLOUT, 0};
      ::poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      broken_ = true;
    }
  }
}

std::string step_label(const StepView& step) {
  std::string lead = step.target;
  const auto add = [&](const std::string& word) {
    if (word.empty()) return;
    if (!lead.empty()) lead += ' ';
    lead += word;
  };
  add(step.stage);
  if (step.count > 0) add(std::to_string(step.index) + "/" + std::to_string(step.count));
  return printable(lead.empty() ? step.text : "[" + lead + "] " + step.text);
}

}  // namespace kiln
