#include "builder/cli/images/signed_images.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/count_of.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "base/thread_pool.hpp"
#include "builder/sign/image_signatures.hpp"

namespace kiln::cli {

namespace {

// What is wrong with one image's signatures, for an error's detail; empty: one of them is by the key.
std::string unsigned_lines(const VerifiedImage& verified) {
  if (verified.is_signed()) return "";
  const std::string image = verified.image.str();
  if (verified.signatures.empty()) return fmt::format("  {}: no signature\n", image);
  std::string lines;
  for (const FoundSignature& found : verified.signatures)
    lines += fmt::format("  {}: {} {}: {}\n", image, name_of(found.form), found.digest.str(), printable(found.problem));
  return lines;
}

}  // namespace

void require_signatures(RemoteSession& session, const std::vector<oci::Reference>& images, const VerificationKey& key,
                        const std::string& consequence) {
  std::vector<std::string> problems(images.size());
  ThreadPool pool(std::max<std::size_t>(1, session.settings().parallel_requests));
  pool.parallel_for(images.size(),
                    [&](std::size_t i) { problems[i] = unsigned_lines(verify_signatures(session, images[i], key)); });
  const auto is_problem = [](const std::string& lines) { return !lines.empty(); };
  const auto count = std::count_if(problems.begin(), problems.end(), is_problem);
  if (count == 0) return;
  Error error(Category::build,
              fmt::format("{}: of {} {} not signed by key {}; 'kiln sign REF --key FILE' signs what may be used",
                          consequence, count_of(images.size(), "digest"),
                          count == 1 ? "one is" : fmt::format("{} are", count), key.fingerprint()));
  error.set_detail(join(problems, ""));
  throw error;
}

}  // namespace kiln::cli
