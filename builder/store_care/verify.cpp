#include "builder/store_care/verify.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <mutex>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/cache/build_record.hpp"
#include "builder/cache/step_cache.hpp"
#include "builder/layer/byte_source.hpp"
#include "builder/layer/compression.hpp"
#include "builder/layer/file_index.hpp"
#include "builder/store_care/verify_snapshots.hpp"
#include "registry/store/closure.hpp"
#include "registry/store/image_names.hpp"
#include "registry/store/layer_facts.hpp"

namespace kiln {

namespace {

constexpr std::size_t kBufferBytes = std::size_t{256} << 10;

struct Hashed {
  oci::Digest digest;
  std::uint64_t bytes = 0;
};

Hashed hash_all(ByteSource& source, const CancelToken& cancel) {
  oci::Sha256 hash;
  Hashed result;
  std::string buffer(kBufferBytes, '\0');
  while (const std::size_t got = source.read(buffer.data(), buffer.size())) {
    cancel.check();
    hash.update(std::string_view(buffer).substr(0, got));
    result.bytes += got;
  }
  result.digest = hash.finish();
  return result;
}

// nullopt where the file is not there any more; no digest for what is no regular file, which is not waited for.
std::optional<Hashed> hash_file(const fs::path& path, const CancelToken& cancel) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd && errno == ENOENT) return std::nullopt;
  if (!fd && (errno == ELOOP || errno == ENXIO)) return Hashed{};
  if (!fd) throw_errno("open", path.native());
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) throw_errno("look at", path.native());
  if (!S_ISREG(status.st_mode)) return Hashed{};
  FdSource source(fd, path.native());
  return hash_all(source, cancel);
}

std::string bytes_of(const Hashed& hashed) {
  if (hashed.digest.empty()) return "it is no regular file";
  return fmt::format("its {} bytes have the digest '{}'", hashed.bytes, hashed.digest.str());
}

void remove_file(const fs::path& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw_errno("remove", path.native());
}

class Verification {
 public:
  Verification(ContentStore& store, ThreadPool& pool, Repair repair, const CancelToken& cancel, VerifyReport& report)
      : store_(store), pool_(pool), repair_(repair), cancel_(cancel), report_(report) {}

  void blobs() {
    const auto all = store_.blobs();
    pool_.parallel_for(all.size(), [&](std::size_t i) { blob(all[i].digest); });
  }

  // Other programs take no image of the store where it is not as it should be.
  void layout() {
    const fs::path file = store_.home().oci_layout_file();
    const auto text = read_note(file, 4096);
    if (text == HomeLayout::oci_layout_text()) return;
    add(fmt::format("'{}'", file.native()),
        fs::exists(file) ? "it does not hold the version of a layout" : "it is not there", "it is written again",
        [&] { write_file_atomically(file, HomeLayout::oci_layout_text()); });
  }

  void layer_facts() {
    for (const std::string& name : list_directory(store_.home().indexes())) {
      if (oci::Digest::is_valid("sha256:" + name)) index_of(oci::Digest::parse("sha256:" + name));
    }
    for (const std::string& name : list_directory(store_.home().blob_info())) {
      const fs::path path = store_.home().blob_info() / name;
      if (!oci::Digest::is_valid("sha256:" + name) || blob_info(store_, oci::Digest::parse("sha256:" + name)) ||
          !fs::exists(path))
        continue;
      add(fmt::format("note about blob 'sha256:{}'", name), "it cannot be read",
          "it is removed and made again when the blob is read", [&] { remove_file(path); });
    }
  }

  void records() {
    const StepCache cache(store_);
    for (const auto& file : cache.stored_records()) {
      record(file.file, fmt::format("step record '{}'", file.key),
             [&](const std::string& text) { parse_step_record(text, file.key, "it"); });
    }
    const BuildRecordStore builds(store_.home().builds());
    for (const std::string& id : builds.ids()) {
      record(builds.path_of(id), fmt::format("build record '{}'", id), [&](const std::string& text) {
        if (parse_build_record(text, "it").id != id) throw Error(Category::machine, "it is of another build");
      });
    }
  }

  void packages() {
    for (const std::string& name : list_directory(store_.home().debs())) {
      if (!name.ends_with(".deb") || !oci::Digest::is_valid("sha256:" + name.substr(0, name.size() - 4))) continue;
      const fs::path path = store_.home().debs() / name;
      const auto hashed = hash_file(path, cancel_);
      if (!hashed) continue;
      ++report_.packages;
      report_.bytes += hashed->bytes;
      if (hashed->digest == oci::Digest::parse("sha256:" + name.substr(0, name.size() - 4))) continue;
      add(fmt::format("package '{}'", name), bytes_of(*hashed), "it is removed and fetched again",
          [&] { remove_file(path); });
    }
  }

  // Last: a repair may have taken blobs away.
  void images() {
    for (const NamedImage& image : named_images(store_)) {
      std::string problem;
      try {
        const auto missing = missing_blobs(store_, image.descriptor);
        if (!missing.empty())
          problem = fmt::format("{} of its blobs are not in the store, the first is '{}'", missing.size(),
                                missing[0].digest.str());
      } catch (const Error& error) {
        problem = error.message();
      }
      if (problem.empty()) continue;
      add(fmt::format("image '{}'", printable(image.name)), problem, "its name is taken away; build or pull it again",
          [&] {
            // Somebody may have made it whole, or named another image so.
            const auto now = find_image(store_, image.name);
            if (now && now->digest == image.descriptor.digest) unpublish_images(store_, {&image.name, 1});
          });
    }
  }

 private:
  void blob(const oci::Digest& digest) {
    cancel_.check();
    const auto hashed = hash_file(store_.path_of(digest), cancel_);
    if (!hashed) return;
    {
      const std::lock_guard guard(mutex_);
      ++report_.blobs;
      report_.bytes += hashed->bytes;
    }
    const std::string what = fmt::format("blob '{}'", digest.str());
    if (hashed->digest != digest) {
      add(what, bytes_of(*hashed), "it is removed; what needs it is built or fetched again",
          [&] { store_.remove_damaged(digest); });
      return;
    }
    if (const auto info = blob_info(store_, digest)) layer(digest, *info);
  }

  // What the blob is said to hold. The note about it has no digest of its own, so the blob is asked.
  void layer(const oci::Digest& digest, const BlobInfo& info) {
    std::string problem;
    try {
      const Fd fd = store_.open(digest);
      const auto tar = decompress_stream(std::make_unique<FdSource>(fd, digest.str()), digest.str());
      const Hashed held = hash_all(*tar, cancel_);
      if (held.digest != info.diff_id || held.bytes != info.unpacked_bytes) {
        problem = fmt::format("it is noted to hold '{}' of {} bytes, and holds '{}' of {}", info.diff_id.str(),
                              info.unpacked_bytes, held.digest.str(), held.bytes);
      }
    } catch (const Error& error) {
      if (error.category() == Category::cancelled) throw;
      if (!store_.has(digest)) return;
      problem = fmt::format("it is noted to hold a layer, and cannot be inflated: {}", error.message());
    }
    const std::lock_guard guard(mutex_);
    ++report_.layers;
    if (problem.empty()) return;
    add_locked(fmt::format("layer blob '{}'", digest.str()), problem,
               "the note is removed and made again when the blob is read",
               [&] { remove_file(store_.home().blob_info() / std::string(digest.hex())); });
  }

  void index_of(const oci::Digest& diff_id) {
    const fs::path path = store_.home().indexes() / std::string(diff_id.hex());
    const auto text = read_note(path, 4096);
    if (!text && !fs::exists(path)) return;
    ++report_.records;
    std::string problem;
    try {
      const auto index = index_of_layer(store_, diff_id);
      if (!text) {
        problem = "it is larger than any that kiln writes";
      } else if (!index) {
        problem = fmt::format("'{}' names no blob of the store", printable(trim(*text)));
      } else if (index->media_type != kFileIndexMediaType) {
        problem = fmt::format("its type is '{}', expected '{}'", printable(index->media_type), kFileIndexMediaType);
      } else {
        const FileIndex read = FileIndex::parse(store_.read(index->digest, std::uint64_t{1} << 30), "it");
        if (read.diff_id() != diff_id) problem = fmt::format("it names the index of '{}'", read.diff_id().str());
      }
    } catch (const Error& error) {
      problem = error.message();
    }
    if (problem.empty() || !fs::exists(path)) return;
    add(fmt::format("file index of layer '{}'", diff_id.str()), problem, "it is dropped and made again from the layer",
        [&] { remove_file(path); });
  }

  void record(const fs::path& path, const std::string& what, const std::function<void(const std::string&)>& parse) {
    cancel_.check();
    const auto text = read_file_if_exists(path);
    if (!text) return;
    ++report_.records;
    report_.bytes += text->size();
    try {
      parse(*text);
    } catch (const Error& error) {
      add(what, error.message(), "it is removed", [&] { remove_file(path); });
    }
  }

  void add(std::string what, std::string problem, std::string remedy, const std::function<void()>& mend) {
    const std::lock_guard guard(mutex_);
    add_locked(std::move(what), std::move(problem), std::move(remedy), mend);
  }

  void add_locked(std::string what, std::string problem, std::string remedy, const std::function<void()>& mend) {
    StoreProblem found{std::move(what), std::move(problem), std::move(remedy), false};
    if (repair_ == Repair::yes) {
      mend();
      found.repaired = true;
    }
    report_.problems.push_back(std::move(found));
  }

  ContentStore& store_;
  ThreadPool& pool_;
  Repair repair_;
  const CancelToken& cancel_;
  VerifyReport& report_;
  std::mutex mutex_;
};

}  // namespace

bool VerifyReport::is_sound() const {
  return std::all_of(problems.begin(), problems.end(), [](const StoreProblem& problem) { return problem.repaired; });
}

VerifyReport verify_store(ContentStore& store, SnapshotStore& snapshots, ThreadPool& pool, Repair repair,
                          const CancelToken& cancel) {
  VerifyReport report;
  Verification verification(store, pool, repair, cancel, report);
  // Snapshots are held against the indexes, so before a repair takes damaged ones away.
  verify_snapshots(store, snapshots, pool, repair, cancel, report);
  verification.layout();
  verification.blobs();
  verification.layer_facts();
  verification.records();
  verification.packages();
  verification.images();
  std::sort(report.problems.begin(), report.problems.end(),
            [](const StoreProblem& a, const StoreProblem& b) { return a.what < b.what; });
  return report;
}

}  // namespace kiln
