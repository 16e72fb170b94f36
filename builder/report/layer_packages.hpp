#pragma once

#include <map>
#include <memory>

#include "base/cancel.hpp"
#include "base/thread_pool.hpp"
#include "builder/layer/file_index.hpp"
#include "builder/packages/diff_packages.hpp"
#include "builder/report/build_report.hpp"
#include "registry/store/content_store.hpp"

namespace kiln {

// Reads from the store which packages the layers of a report brought. Each layer is read once, by its digest; only
// layers that hold databases of packages are read at all. Borrows everything. For one thread.
class LayerPackages {
 public:
  LayerPackages(const ContentStore& store, IndexCache& indexes, ThreadPool& pool, const CancelToken& cancel)
      : store_(store), indexes_(indexes), pool_(pool), cancel_(cancel) {}

  // Of the layer of that number, from the bottom: the packages, and the owner of each entry of its index. nullptr where
  // the store has no index of the layer, or not its blob. Error{build} or Error{machine} for a damaged blob.
  std::shared_ptr<const DiffPackages> find(const ReportImage& image, std::size_t number);

 private:
  std::shared_ptr<const DiffPackages> read(const ReportImage& image, std::size_t number);

  const ContentStore& store_;
  IndexCache& indexes_;
  ThreadPool& pool_;
  const CancelToken& cancel_;
  std::map<oci::Digest, std::shared_ptr<const DiffPackages>> known_;
};

}  // namespace kiln
