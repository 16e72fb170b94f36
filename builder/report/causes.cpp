#include "builder/report/causes.hpp"

#include <cmath>

namespace kiln {

std::string_view to_string(Cause cause) {
  switch (cause) {
    case Cause::base:
      return "base";
    case Cause::build_tools:
      return "build_tools";
    case Cause::caches:
      return "caches";
    case Cause::duplicates:
      return "duplicates";
    case Cause::packages:
      return "packages";
    case Cause::sharing:
      return "sharing";
    case Cause::compression:
      return "compression";
  }
  return {};
}

std::string_view shown_cause(Cause cause) { return cause == Cause::build_tools ? "build tools" : to_string(cause); }

std::vector<CauseShare> causes_of(const Weight& before, const Weight& after, WithSharing with_sharing) {
  if (before.contents.total() == 0) return {};
  const bool apart = with_sharing == WithSharing::yes;
  const auto packages = [&](const ContentBytes& contents) {
    return contents[Content::packages] - (apart ? contents.repeated : 0);
  };
  std::vector<CauseShare> result = {
      {Cause::base, before.contents[Content::base], after.contents[Content::base]},
      {Cause::build_tools, before.contents[Content::build_tools], after.contents[Content::build_tools]},
      {Cause::caches, before.contents[Content::caches], after.contents[Content::caches]},
      {Cause::duplicates, before.contents[Content::duplicates], after.contents[Content::duplicates]},
      {Cause::packages, packages(before.contents), packages(after.contents)}};
  if (apart) result.push_back({Cause::sharing, before.contents.repeated, after.contents.repeated});
  const double ratio = static_cast<double>(before.compressed_bytes) / static_cast<double>(before.contents.total());
  std::int64_t rest =
      static_cast<std::int64_t>(before.compressed_bytes) - static_cast<std::int64_t>(after.compressed_bytes);
  for (CauseShare& share : result) {
    share.saved_bytes = std::llround(static_cast<double>(share.saved_unpacked()) * ratio);
    rest -= share.saved_bytes;
  }
  result.push_back({Cause::compression, 0, 0, rest});
  return result;
}

}  // namespace kiln
