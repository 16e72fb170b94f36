#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace kiln {

// GitHub makes at most this many jobs of one matrix.
inline constexpr std::size_t kMaxMatrixRows = 256;

// What a job does: `kiln bake`, or `kiln index bake` for an image whose platforms other jobs have built.
enum class MatrixJob { bake, index };

// What a job has to make of a target: the image of one platform, or the index of all.
struct MatrixTarget {
  MatrixJob job = MatrixJob::bake;
  std::string name;
  std::string image;
  std::string profile;
  std::string platform;  // of an index all, with commas between
  std::string runner;    // the label of the machine it is built on
  std::size_t wave = 0;  // one more than that of the last of its parents that has to be built too
  std::vector<std::string>
      parents;         // NAME=REFERENCE: images of the fleet that it is built from, by digest or inputs' tag
  double seconds = 0;  // predicted; 0: not known
  std::string inputs;  // hash
};

// A job: one image, or several of one platform and runner that are built in one process, or indexes.
struct MatrixRow {
  std::string id;  // "wave0-01"
  std::vector<const MatrixTarget*> targets;
  double seconds = 0;
};

// Whether the profiles of one image are one job. They share their layers: apart, at the same time, each machine would
// execute the same steps, and a RUN writes other bytes each time.
enum class Profiles { together, apart };

// The jobs of each wave. A wave with more than `max_rows` images is dealt out so that the longest job is about as short
// as can be: the longest image first, each to the job with the least work. Profiles that are together take as long as
// the longest of them; targets without a prediction as the mean of the others. Rows stand in the order of their first
// target.
std::vector<std::vector<MatrixRow>> matrix_rows(const std::vector<MatrixTarget>& targets,
                                                Profiles profiles = Profiles::together,
                                                std::size_t max_rows = kMaxMatrixRows);

// One row for each platform and runner, with all targets of that platform once: the jobs of a build that pushes
// nothing, and so has no waves.
std::vector<MatrixRow> platform_rows(const std::vector<MatrixTarget>& targets);

// {"include": [{"id", "command", "target", "image", "profile", "platform", "runner", "parents", "inputs", "seconds"}]}:
// what `strategy: matrix: ${{ fromJSON(...) }}` takes. "command" is the action's: bake or index. Lists are one text
// with spaces between.
std::string matrix_json(const std::vector<MatrixRow>& rows);

}  // namespace kiln
