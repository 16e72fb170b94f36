#pragma once

#include <string>

#include "base/cancel.hpp"
#include "base/thread_pool.hpp"
#include "builder/cli/images/registry_session.hpp"
#include "builder/cli/words/published_images.hpp"
#include "builder/report/build_report.hpp"

namespace kiln::cli {

// Whether a word of --against names images of a registry and no report: ":TAG", "HOST/PATH/{image}-{profile}:TAG" or
// the reference of one image. What is there as a file is one. Error{usage}, with the forms, for what is none of them.
bool names_published_images(const std::string& word);

// The images of a report as a registry has them under other names, as a report of its own: layers with their sizes, and
// the line that made each. Where an instruction of `now` made a layer, now or then, it is told as `now` tells it.
//
//   ":main"                            each image where the fleet here publishes it, under this tag
//   "ghcr.io/acme/{image}:{profile}"   a name for each image, with the placeholders of fleet.json's "repository"
//   "ghcr.io/acme/app:main"            that image, where the report has no other
//
// What the registry does not have is left out. Layers that `now` does not have are fetched into the store, smallest
// first and up to kMostFetchedBytes, so that their packages can be told. Error{usage} where a word does not fit the
// report, Error{network} where a registry does not answer.
BuildReport published_report(RegistrySession& session, ThreadPool& pool, const PublishedWords& words,
                             const std::string& word, const BuildReport& now, const CancelToken& cancel);

// Of the layers of older images, compressed: what is larger is compared without its packages.
inline constexpr std::uint64_t kMostFetchedBytes = std::uint64_t{1} << 30;

}  // namespace kiln::cli
