#pragma once

#include <utime.h>

#include <string>

#include "base/atomic_file.hpp"
#include "base/temp_dir.hpp"
#include "builder/cache/step_cache.hpp"
#include "builder/layer/layer_writer.hpp"
#include "builder/store_care/disk_usage.hpp"
#include "tests/support/add_file.hpp"

namespace kiln {

// A store that another process, which has ended, filled: nothing in it is leased.
struct StorageFixture {
  TempDir folder;
  HomeLayout home = HomeLayout::open(folder.path() / "home");
  ThreadPool pool{2};
  ContentStore store{home};
  SnapshotStore snapshots{store, pool};
  CacheMounts mounts{home};

  // A step of one layer with one file, recorded as last used at `used`; its key.
  std::string step(char letter, const std::string& content, UnixSeconds used) {
    ContentStore other(home);
    LayerWriter writer(other, pool, {});
    FileEntry entry;
    entry.path = "file";
    entry.mode = 0644;
    test::add_file(writer, entry, content);
    StepRecord record;
    record.kind = StepKind::copy;
    record.key = std::string(64, letter);
    record.text = std::string("COPY ") + letter;
    record.created = "2026-01-01T00:00:00Z";
    record.salt = "00";
    record.layers = {writer.finish()};
    layers.push_back(record.layers[0]);
    StepCache(other).store(record);
    const utimbuf time{used, used};
    ::utime((home.steps() / record.key.substr(0, 2) / record.key).c_str(), &time);
    return record.key;
  }

  const oci::Digest& blob(std::size_t number) const { return layers[number].blobs[0].descriptor.digest; }
  bool has_record(const std::string& key) const { return fs::exists(home.steps() / key.substr(0, 2) / key); }

  std::vector<LayerValue> layers;
};

}  // namespace kiln
