#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "builder/cache/build_record.hpp"

namespace kiln {

// The first step of a chain of images that missed for a reason of its own, and what was rebuilt because of it.
struct MissCause {
  const BuildRecordTarget* target = nullptr;  // whose step it is
  const BuildRecordStep* step = nullptr;
  std::vector<const BuildRecordTarget*> rebuilt;  // with steps that missed since they are built on it; not `target`

  // "base-app/Dockerfile:7 changed; 48 images rebuilt because of it". Printable.
  std::string text() const;
  // Nothing of the image was built before. Where other steps of it hit, its line is what is new.
  bool is_first_build() const;
};

// What the misses of images cost.
struct MissSum {
  std::size_t hits = 0;
  std::size_t misses = 0;
  double seconds = 0;       // of the misses
  std::uint64_t bytes = 0;  // of the misses

  void add(const BuildRecordTarget& target);
};

// Why the images of a build were rebuilt. A step that another image executed in the same build counts as a miss of the
// image that found it there. Borrows the record.
class MissCauses {
 public:
  explicit MissCauses(const BuildRecord& record);

  // Of all targets, each once, in the order of the record.
  std::vector<const MissCause*> all() const;
  // Null where neither the target nor anything below it missed.
  const MissCause* of(const BuildRecordTarget& target) const;

 private:
  struct Miss {
    const BuildRecordTarget* target = nullptr;
    const BuildRecordStep* step = nullptr;
  };

  const MissCause* find(const BuildRecordTarget& target);
  const MissCause* find_below(const BuildRecordTarget& target);
  Miss first_miss(const BuildRecordTarget& target) const;

  const BuildRecord& record_;
  std::map<std::string, Miss> executed_;  // by key
  std::map<const BuildRecordStep*, MissCause> causes_;
  std::map<const BuildRecordTarget*, const MissCause*> cause_of_;
};

}  // namespace kiln
