#pragma once

#include <map>
#include <set>
#include <string>

#include "base/cancel.hpp"
#include "base/thread_pool.hpp"
#include "builder/layer/file_index.hpp"
#include "registry/oci/descriptor.hpp"
#include "registry/store/content_store.hpp"

namespace kiln {

// The contents of some files of a layer whose blob is in the store: out of the frames that they are in where those are
// known and the tar is one of kiln's, else in one pass over the tar that ends with the last of them. What has not the
// digest that the index says (a tar may hold a path twice) and what is no file is left out. The caller bounds their
// sizes, by the index. Error{build} for a damaged tar.
std::map<std::string, std::string> read_layer_files(const ContentStore& store, ThreadPool& pool,
                                                    const oci::Descriptor& blob, const FileIndex& index,
                                                    const std::set<std::string>& paths, const CancelToken& cancel);

}  // namespace kiln
