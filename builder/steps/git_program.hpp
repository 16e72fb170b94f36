#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.hpp"
#include "base/file.hpp"
#include "base/process.hpp"
#include "builder/steps/source_secrets.hpp"

namespace kiln {

// What a server may make of git. A server that sends next to nothing over http is left after `stall_seconds`.
struct GitBounds {
  double stall_seconds = 300;
  double most_seconds = 3600;                                  // of one command
  std::uint64_t most_file_bytes = std::uint64_t{64} << 30;     // a pack among them
  std::uint64_t most_output_bytes = std::uint64_t{256} << 20;  // the list of references
};

// The git program at work for one source, as BuildKit lets it work: neither this machine's nor the caller's
// configuration, HOME, identity or umask has a say. It never asks for a password and runs no hook.
class GitProgram {
 public:
  // `shown` is the source for messages. `remote` decides what is reached: an http or https source and its submodules by
  // these two alone, one of ssh by ssh and https, one of git:// by git and https; only for ssh is there an agent. Where
  // headers go no redirect is followed. Error{machine} where there is no git.
  GitProgram(std::string shown, std::string_view remote, const std::vector<SourceSecrets::GitHeader>& headers,
             const CancelToken& cancel, GitBounds bounds = {});

  // Error{network} where it takes too long.
  CommandResult run(const fs::path& folder, const std::vector<std::string>& words) const;
  // What it printed, without the last newline; Error{network} where it fails.
  std::string expect(const fs::path& folder, const std::vector<std::string>& words) const;
  // For a command that failed: its messages as detail, without credentials.
  Error refused(const CommandResult& result) const;

 private:
  std::string shown_;
  std::vector<std::string> environment_;
  std::vector<std::string> transports_;
  bool is_authorised_;
  const CancelToken& cancel_;
  GitBounds bounds_;
};

}  // namespace kiln
