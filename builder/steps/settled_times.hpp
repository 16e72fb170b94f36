#pragma once

#include <optional>

#include "base/cancel.hpp"
#include "base/clock.hpp"
#include "base/file.hpp"

namespace kiln {

struct ScannedTree;

// The times that a cut gives its files.
struct SettledTimes {
  UnixSeconds all = 0;
  // Of sources that bytecode was made of. Bytecode goes by the time and the size of its source, so no other file may
  // come to its source's place with both: where all that is written has one time (a COPY of an image definition, a
  // later RUN), a source of the same size would pass for it. nullopt: bytecode keeps the way in which it is checked.
  std::optional<UnixSeconds> sources;
};

// Sets the times of everything in a scanned upper folder, on disk and in the tree, so that what was installed at
// another time is the same to the byte. Python's bytecode that fits a source of the same tree fits it afterwards, by
// its time and size: by a hash, as Python writes it where SOURCE_DATE_EPOCH is set, each import would read the source
// too. What does not fit does not come to fit. A source of a lower layer keeps its time, and so does its bytecode.
void settle_times(const fs::path& upper, ScannedTree& tree, const SettledTimes& to, const CancelToken& cancel);

}  // namespace kiln
