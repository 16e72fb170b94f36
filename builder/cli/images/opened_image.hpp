#pragma once

#include <string>
#include <vector>

#include "base/cancel.hpp"
#include "base/thread_pool.hpp"
#include "builder/cli/images/registry_session.hpp"
#include "builder/cli/words/arguments.hpp"
#include "builder/layer/merged_view.hpp"
#include "registry/oci/image_config.hpp"
#include "registry/oci/manifest.hpp"

namespace kiln::cli {

// How the commands that look into images name them.
struct OpenWords {
  std::string platform;  // empty: this machine's
  bool local = false;    // images of the store
  std::optional<std::string> progress;
  bool quiet = false;
};

void add_open_words(Arguments& command, OpenWords& words);

// An image whose files can be looked at: its documents are in the store, and the indexes of its layers.
struct OpenedImage {
  std::string name;  // the full reference
  oci::Descriptor manifest;
  oci::Manifest parsed;
  oci::ImageConfig config;
  MergedView files;
  std::optional<RemoteRepository> source;  // where its blobs are; nullopt: in the store
};

// Of a registry's image only layers are fetched that this machine has not looked into before. Error{network} where the
// registry has no such image, or its documents do not belong together; Error{usage} where the store has none.
OpenedImage open_image(RegistrySession& session, ThreadPool& pool, const std::string& word, const OpenWords& words,
                       const CancelToken& cancel);

// An image whose documents are in the store. Layers that this machine has not looked into before and that are not in
// the store are fetched from any place that the session knows, `source` first. `name` is for messages. Error{network}
// where no place has one.
OpenedImage open_documents(RegistrySession& session, ThreadPool& pool, const std::string& name,
                           const oci::Descriptor& manifest, const std::optional<RemoteRepository>& source,
                           const CancelToken& cancel);

// An image of the store by its manifest; nullopt where the store has not all of it. `name` is for messages.
std::optional<OpenedImage> open_stored_image(ContentStore& store, ThreadPool& pool, const std::string& name,
                                             const oci::Digest& manifest, const CancelToken& cancel);

}  // namespace kiln::cli
