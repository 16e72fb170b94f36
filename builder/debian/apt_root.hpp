#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.hpp"
#include "base/error.hpp"
#include "base/file.hpp"
#include "base/process.hpp"
#include "builder/debian/debian_spec.hpp"

namespace kiln {

// A scratch configuration of apt below one folder: its own sources, state and cache, nothing installed. Of
// the machine's configuration only how to get out is taken over (proxies, certificates, retries, IP version,
// and /etc/apt/auth.conf), so none of its hooks, pins or third-party sources has a say. The folder is the
// caller's.
class AptRoot {
 public:
  // Writes the configuration. Error{machine} where apt is missing.
  AptRoot(const fs::path& folder, const DebianSpec& spec, const DebianArchives& archives, const CancelToken& cancel);

  // Runs apt-get, apt-cache or apt-helper (by name) with this configuration, in the C locale. apt itself leaves a
  // mirror that sends nothing, and none that sends a byte now and then: Error{network} after `most_seconds`.
  CommandResult run(std::vector<std::string> argv, const CancelToken& cancel, double most_seconds = 3600) const;

  fs::path lists() const { return folder_ / "state" / "lists"; }

 private:
  fs::path folder_;
  std::vector<std::string> environment_;
};

// Where this machine's apt keeps the .deb files that it downloaded.
fs::path apt_archives_of_host(const CancelToken& cancel);

// The errors ("E: ...") and warnings of an apt command's stderr as lines for Error::set_detail, without
// credentials in URIs and without the warning that downloads were not sandboxed.
std::string apt_messages(std::string_view stderr_bytes);

// As apt writes paths: unlike percent_encoded(), "~" too and with small letters. percent_decoded() reads it.
std::string percent_encode(std::string_view text);

}  // namespace kiln
