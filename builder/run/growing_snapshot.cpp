#include "builder/run/growing_snapshot.hpp"

#include "base/error.hpp"

namespace kiln {

GrowingSnapshot::GrowingSnapshot(SnapshotUpper upper, LowerLayers lower, const UnpackOptions& options, ThreadPool& pool,
                                 const CancelToken& cancel)
    : upper_(std::move(upper)) {
  unpacking_ = std::async(std::launch::async, [this, lower = std::move(lower), options, &pool, cancel] {
    struct Closing {
      TarPipe& pipe;
      ~Closing() { pipe.close_reader(); }
    } const closing{pipe_};
    unpack_tar(pipe_, "a layer", upper_.folders().fs, lower, options, cancel, &pool);
  });
}

GrowingSnapshot::~GrowingSnapshot() {
  pipe_.fail(std::make_exception_ptr(Error(Category::cancelled, "the layer was not written to its end")));
  if (unpacking_.valid()) unpacking_.wait();
}

std::optional<SnapshotUpper> GrowingSnapshot::finish() {
  pipe_.end();
  try {
    unpacking_.get();
  } catch (const Error& error) {
    if (error.category() == Category::cancelled) throw;
    return std::nullopt;  // the caller that wants the files unpacks the layer, and is told
  }
  return std::move(upper_);
}

}  // namespace kiln
