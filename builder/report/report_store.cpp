#include "builder/report/report_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "base/atomic_file.hpp"
#include "base/file_lock.hpp"
#include "base/output_file.hpp"
#include "base/text.hpp"
#include "builder/report/report_json.hpp"

namespace kiln {

namespace {

constexpr std::uint64_t kMaxReportBytes = std::uint64_t{256} << 20;

std::optional<std::uint64_t> number_of(const fs::path& file) {
  constexpr std::size_t kDigits = 10;
  const std::string stem = file.stem().string();
  return file.extension() == ".json" && stem.size() == kDigits ? parse_unsigned(stem) : std::nullopt;
}

}  // namespace

ReportStore::ReportStore(fs::path folder, fs::path lock_file, std::size_t keep)
    : folder_(std::move(folder)), lock_file_(std::move(lock_file)), keep_(std::max<std::size_t>(keep, 1)) {
  make_directories(folder_);
  make_directories(lock_file_.parent_path());
}

std::vector<fs::path> ReportStore::list() const {
  std::vector<std::pair<std::uint64_t, fs::path>> numbered;
  std::error_code error;
  for (fs::directory_iterator it(folder_, error), end; !error && it != end; it.increment(error)) {
    if (const auto number = number_of(it->path())) numbered.emplace_back(*number, it->path());
  }
  if (error) {
    throw Error(Category::machine, fmt::format("cannot list '{}': {}", folder_.string(), errno_text(error.value())));
  }
  std::sort(numbered.begin(), numbered.end());
  std::vector<fs::path> files;
  for (auto& [number, file] : numbered) files.push_back(std::move(file));
  return files;
}

fs::path ReportStore::save(const BuildReport& report) const {
  const FileLock lock = FileLock::acquire(lock_file_, LockMode::exclusive);
  std::vector<fs::path> files = list();
  const std::uint64_t number = files.empty() ? 1 : *number_of(files.back()) + 1;
  files.push_back(folder_ / fmt::format("{:010}.json", number));
  write_file_atomically(files.back(), to_json_text(report));
  for (std::size_t i = 0; i + keep_ < files.size(); ++i) {
    std::error_code error;
    fs::remove(files[i], error);
    if (error) {
      throw Error(Category::machine,
                  fmt::format("cannot remove '{}': {}", files[i].string(), errno_text(error.value())));
    }
  }
  return files.back();
}

std::optional<BuildReport> ReportStore::latest() const {
  // A process that saves at the same time may remove what was listed; then there is a newer one.
  fs::path missed;
  for (;;) {
    const std::vector<fs::path> files = list();
    if (files.empty()) return std::nullopt;
    const fs::path& newest = files.back();
    const std::optional<std::string> text = read_file_if_exists(newest, kMaxReportBytes);
    if (!text) {
      if (newest == missed)
        throw Error(Category::machine,
                    fmt::format("'{}' is a link to what is not there; remove it", printable(newest.native())));
      missed = newest;
      continue;
    }
    return with_context([&] { return fmt::format("remove '{}' to see the one before", newest.string()); },
                        [&] { return parse_report(*text, newest.string(), Category::machine); });
  }
}

void write_report(const fs::path& file, const BuildReport& report) { write_output_file(file, to_json_text(report)); }

BuildReport read_report(const fs::path& file) {
  return parse_report(read_named_file(file, kMaxReportBytes), file.string(), Category::usage);
}

}  // namespace kiln
