#include "base/output_file.hpp"

#include <fcntl.h>

#include <system_error>

#include "base/error.hpp"

namespace kiln {

OutputFile::OutputFile(fs::path target) : target_(std::move(target)) {
  std::error_code error;
  const fs::file_status status = fs::status(target_, error);
  if (!fs::exists(status) || fs::is_regular_file(status)) {
    file_.emplace(target_);
    return;
  }
  stream_ = Fd(::open(target_.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY));
  if (!stream_) throw_errno("open", target_.native());
}

void OutputFile::write(std::string_view bytes) {
  if (file_) {
    file_->write(bytes);
  } else {
    write_all(stream_, bytes, target_.native());
  }
}

void OutputFile::commit() {
  if (file_) file_->commit();
}

void write_output_file(const fs::path& target, std::string_view bytes) {
  OutputFile file(target);
  file.write(bytes);
  file.commit();
}

}  // namespace kiln
