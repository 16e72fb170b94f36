#include "builder/dockerfile/reads.hpp"

namespace kiln::dockerfile {

namespace {

Read read_by(const WrittenMount& mount) {
  Read read;
  read.from = mount.from();
  read.by = Read::By::unknown;
  if (mount.plain) read.by = mount.plain->type == MountType::bind ? Read::By::bind : Read::By::cache;
  const std::string source = mount.written("source");
  read.paths = {source.empty() ? "." : source};
  return read;
}

}  // namespace

bool has_variable(const std::string& text) { return text.find('$') != std::string::npos; }

const Transfer* transfer_of(const Instruction& instruction) {
  if (const auto* copy = std::get_if<Copy>(&instruction.body)) return copy;
  return std::get_if<Add>(&instruction.body);
}

bool makes_step(const Instruction& instruction) {
  return transfer_of(instruction) || std::holds_alternative<Run>(instruction.body) ||
         std::holds_alternative<Workdir>(instruction.body);
}

std::vector<Read> reads_of(const Instruction& instruction) {
  std::vector<Read> reads;
  if (const Transfer* transfer = transfer_of(instruction); transfer && !transfer->paths.empty()) {
    Read& read = reads.emplace_back();
    read.paths = transfer->paths;
    if (const auto* copy = std::get_if<Copy>(&instruction.body)) read.from = copy->from;
    for (std::string& path : read.paths) {
      if (path.empty()) path = ".";
    }
  }
  if (const auto* run = std::get_if<Run>(&instruction.body)) {
    for (const WrittenMount& mount : run->mounts) {
      if (!mount.plain || takes_files(*mount.plain)) reads.push_back(read_by(mount));
    }
  }
  return reads;
}

std::vector<std::string> names_read(const Instruction& instruction) {
  std::vector<std::string> names;
  for (const Read& read : reads_of(instruction)) {
    if (!read.from.empty() && !has_variable(read.from)) names.push_back(read.from);
  }
  return names;
}

}  // namespace kiln::dockerfile
