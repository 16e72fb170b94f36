#include "builder/report/report_comparison.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/count_of.hpp"
#include "base/text.hpp"
#include "builder/report/report_words.hpp"

namespace kiln {

namespace {

std::int64_t difference(std::uint64_t before, std::uint64_t now) {
  return static_cast<std::int64_t>(now) - static_cast<std::int64_t>(before);
}

std::map<oci::Digest, std::uint64_t> stored_layers(const BuildReport& report) {
  std::map<oci::Digest, std::uint64_t> layers;
  for (const ReportImage& image : report.images) {
    for (const ReportLayer& layer : image.layers) layers.emplace(layer.digest, layer.bytes);
  }
  return layers;
}

std::uint64_t sum_of(const std::map<oci::Digest, std::uint64_t>& layers) {
  std::uint64_t sum = 0;
  for (const auto& [_, bytes] : layers) sum += bytes;
  return sum;
}

bool has_layer(const ReportImage& image, const oci::Digest& digest) {
  return std::any_of(image.layers.begin(), image.layers.end(),
                     [&](const ReportLayer& layer) { return layer.digest == digest; });
}

// What two instructions have in common where one is the other's newer form: "RUN pip install", "COPY app /srv/"; of the
// layer of a package, the package.
std::string kind_of(std::string_view shown) {
  const bool is_instruction = !shown.empty() && shown.front() >= 'A' && shown.front() <= 'Z';
  std::size_t end = 0;
  for (int words = is_instruction ? 3 : 1; words > 0 && end != std::string_view::npos; --words)
    end = shown.find(' ', end == 0 ? 0 : end + 1);
  return std::string(shown.substr(0, end));
}

// Makes one line of a line that is gone and the new one of its kind, in their order. `lines` is in the order of layers,
// those that are gone first.
void join_successors(std::vector<LineChange>& lines) {
  for (LineChange& line : lines) {
    if (line.before > 0) continue;
    const auto gone = std::find_if(lines.begin(), lines.end(), [&](const LineChange& other) {
      return other.now == 0 && other.before > 0 && kind_of(other.text) == kind_of(line.text);
    });
    if (gone == lines.end()) continue;
    line.was = std::exchange(gone->text, "");
    line.before = std::exchange(gone->before, 0);
  }
  std::erase_if(lines, [](const LineChange& line) { return line.before == 0 && line.now == 0; });
}

// Layers that only one of the two has, by file and instruction: numbers of lines move, and say nothing.
std::vector<LineChange> line_changes(const ReportImage& before, const ReportImage& now) {
  std::map<std::pair<std::string, std::string>, std::size_t> numbers;
  std::vector<LineChange> lines;
  const auto line_of = [&](const ReportLayer& layer) -> LineChange& {
    const auto [found, is_new] = numbers.emplace(std::pair(layer.file, layer.text), lines.size());
    if (is_new) lines.emplace_back();
    LineChange& line = lines[found->second];
    line.place = shown_place(layer.file, layer.line);
    line.text = shown_layer(layer.text);
    return line;
  };
  for (const ReportLayer& layer : before.layers) {
    if (!has_layer(now, layer.digest)) line_of(layer).before += layer.bytes;
  }
  for (const ReportLayer& layer : now.layers) {
    if (!has_layer(before, layer.digest)) line_of(layer).now += layer.bytes;
  }
  join_successors(lines);
  std::stable_sort(lines.begin(), lines.end(), [](const LineChange& a, const LineChange& b) {
    return difference(a.before, a.now) > difference(b.before, b.now);
  });
  return lines;
}

ImageChange image_change(const ReportImage* before, const ReportImage* now) {
  static const ReportImage kNone;
  ImageChange change;
  change.name = shown_name(now == nullptr ? *before : *now);
  if (before != nullptr) change.before = before->compressed_bytes;
  if (now != nullptr) change.now = now->compressed_bytes;
  const ReportImage& was = before == nullptr ? kNone : *before;
  const ReportImage& is = now == nullptr ? kNone : *now;
  for (const ReportLayer& layer : is.layers) {
    if (!has_layer(was, layer.digest)) change.update_bytes += layer.bytes;
  }
  if (before != nullptr && now != nullptr) change.lines = line_changes(was, is);
  return change;
}

// Unpacked bytes by version.
using Versions = std::map<std::string, std::uint64_t>;

// `left_out`: layers that are not looked into.
std::map<std::string, Versions> versions_of(const BuildReport& report, const LayerSources& sources,
                                            const std::set<oci::Digest>& left_out) {
  std::map<std::string, Versions> result;
  std::set<oci::Digest> seen = left_out;
  for (const ReportImage& image : report.images) {
    for (std::size_t i = 0; i < image.layers.size(); ++i) {
      if (!seen.insert(image.layers[i].digest).second) continue;
      const auto index = sources.index_of(image.layers[i].diff_id);
      const auto packages = sources.packages_of(image, i);
      if (!index || !packages) continue;
      std::vector<std::uint64_t> bytes(packages->packages.size());
      for (std::size_t entry = 0; entry < packages->owners.size() && entry < index->entries().size(); ++entry) {
        if (const auto owner = packages->owners[entry]) bytes.at(*owner) += index->entries()[entry].size;
      }
      for (std::size_t number = 0; number < bytes.size(); ++number) {
        const StatedPackage& stated = packages->packages[number].stated;
        result[fmt::format("{} {}", to_string(stated.ecosystem), printable(stated.name))][printable(stated.version)] +=
            bytes[number];
      }
    }
  }
  return result;
}

std::vector<PackageGrowth> package_growths(const std::map<std::string, Versions>& before,
                                           const std::map<std::string, Versions>& now) {
  std::set<std::string> names;
  for (const auto* versions : {&before, &now}) {
    for (const auto& [name, _] : *versions) names.insert(name);
  }
  std::vector<PackageGrowth> result;
  for (const std::string& name : names) {
    PackageGrowth growth;
    growth.name = name;
    const auto add = [&](const std::map<std::string, Versions>& all, std::vector<std::string>& versions, int sign) {
      const auto found = all.find(name);
      if (found == all.end()) return;
      for (const auto& [version, bytes] : found->second) {
        versions.push_back(version);
        growth.growth += sign * static_cast<std::int64_t>(bytes);
      }
    };
    add(before, growth.before, -1);
    add(now, growth.now, 1);
    if (growth.before != growth.now) result.push_back(std::move(growth));
  }
  std::stable_sort(result.begin(), result.end(),
                   [](const PackageGrowth& a, const PackageGrowth& b) { return a.growth > b.growth; });
  return result;
}

// Looks at the layers that only one form of an image has. Where the packages of one are not known, a package that moved
// from it to another one would seem new: then all of them are to be left out.
class UnknownLayers {
 public:
  explicit UnknownLayers(const LayerSources& sources) : sources_(sources) {}

  void look_at(const ReportImage& before, const ReportImage& now) {
    std::set<oci::Digest> changed;
    bool are_known = true;
    const auto look = [&](const ReportImage& image, const ReportImage& other) {
      for (std::size_t i = 0; i < image.layers.size(); ++i) {
        const ReportLayer& layer = image.layers[i];
        if (has_layer(other, layer.digest)) continue;
        changed.insert(layer.digest);
        if (sources_.index_of(layer.diff_id) && sources_.packages_of(image, i)) continue;
        unknown_.insert(layer.digest);
        are_known = false;
      }
    };
    look(before, now);
    look(now, before);
    if (!are_known) left_out_.insert(changed.begin(), changed.end());
  }

  std::size_t count() const { return unknown_.size(); }
  const std::set<oci::Digest>& left_out() const { return left_out_; }

 private:
  const LayerSources& sources_;
  std::set<oci::Digest> unknown_;
  std::set<oci::Digest> left_out_;
};

bool is_over(std::uint64_t before, std::uint64_t now, const GrowthLimit& limit) {
  if (now <= before) return false;
  const std::uint64_t grown = now - before;
  if (limit.bytes) return grown > *limit.bytes;
  return limit.pct && static_cast<double>(grown) * 100 > *limit.pct * static_cast<double>(before);
}

std::string growth_words(std::string_view name, std::uint64_t before, std::uint64_t now, const GrowthLimit& limit) {
  const std::string allowed = limit.bytes ? human_bytes(*limit.bytes) : fmt::format("{:.4g} %", *limit.pct);
  return fmt::format("{} grew by {}, from {} to {}, and {} are allowed", name, human_bytes(now - before),
                     human_bytes(before), human_bytes(now), allowed);
}

}  // namespace

std::int64_t ImageChange::growth() const noexcept { return difference(before.value_or(0), now.value_or(0)); }

ReportComparison compare_reports(const BuildReport& before, const BuildReport& now, const LayerSources& sources) {
  ReportComparison result;
  result.before = "the report of " + format_rfc3339(before.created);
  result.before_images = before.images.size();
  const std::map<oci::Digest, std::uint64_t> had = stored_layers(before), has = stored_layers(now);
  result.before_bytes = sum_of(had);
  result.now_bytes = sum_of(has);
  for (const auto& [digest, bytes] : has) {
    if (had.count(digest) == 0) result.update_bytes += bytes;
  }
  const auto find = [](const BuildReport& report, const ReportImage& image) -> const ReportImage* {
    const auto found = std::find_if(report.images.begin(), report.images.end(), [&](const ReportImage& other) {
      return other.name == image.name && other.profile == image.profile;
    });
    return found == report.images.end() ? nullptr : &*found;
  };
  const auto add = [&](const ReportImage& image, ImageChange change) {
    if (change.before && change.now && change.lines.empty()) {
      ++result.same_images;
      return;
    }
    // Profiles stand beside each other, and mostly have the same layers.
    if (!result.images.empty() && !image.profile.empty()) {
      ImageChange& last = result.images.back();
      const bool is_alike = last.before == change.before && last.now == change.now &&
                            last.update_bytes == change.update_bytes && last.lines.size() == change.lines.size();
      if (is_alike && last.name.starts_with(printable(image.name) + " ")) {
        last.name += ", " + printable(image.profile);
        return;
      }
    }
    result.images.push_back(std::move(change));
  };
  for (const ReportImage& image : now.images) add(image, image_change(find(before, image), &image));
  for (const ReportImage& image : before.images) {
    if (find(now, image) == nullptr) add(image, image_change(&image, nullptr));
  }
  std::stable_sort(result.images.begin(), result.images.end(),
                   [](const ImageChange& a, const ImageChange& b) { return a.growth() > b.growth(); });
  if (!sources.index_of || !sources.packages_of) return result;
  UnknownLayers unknown(sources);
  for (const ReportImage& image : now.images) {
    if (const ReportImage* was = find(before, image)) unknown.look_at(*was, image);
  }
  result.unknown_layers = unknown.count();
  result.packages =
      package_growths(versions_of(before, sources, unknown.left_out()), versions_of(now, sources, unknown.left_out()));
  return result;
}

std::vector<GateFailure> failed_growth(const ReportComparison& comparison, const GrowthLimit& limit) {
  std::vector<GateFailure> failures;
  if (comparison.before_images > 0 && is_over(comparison.before_bytes, comparison.now_bytes, limit)) {
    failures.push_back(
        {growth_words("what is stored", comparison.before_bytes, comparison.now_bytes, limit), "", 0, ""});
  }
  // Images that grew most by one and the same line, such as one of their base, are one failure, named by the first.
  std::vector<std::vector<const ImageChange*>> by_line;
  for (const ImageChange& image : comparison.images) {
    if (!image.before || !image.now || !is_over(*image.before, *image.now, limit)) continue;
    const auto same = std::find_if(by_line.begin(), by_line.end(),
                                   [&](const auto& images) { return images[0]->lines[0] == image.lines[0]; });
    (same == by_line.end() ? by_line.emplace_back() : *same).push_back(&image);
  }
  for (const std::vector<const ImageChange*>& images : by_line) {
    const ImageChange& first = *images[0];
    const LineChange& line = first.lines[0];
    const std::string more =
        images.size() == 1 ? "" : fmt::format(", as in {} more", count_of(images.size() - 1, "image"));
    failures.push_back({growth_words(first.name, *first.before, *first.now, limit) +
                            fmt::format("; most at {}, {}{}", line.place.empty() ? line.text : line.place,
                                        shown_growth(difference(line.before, line.now)), more),
                        "", 0, ""});
  }
  return failures;
}

std::string shown_growth(std::int64_t bytes) {
  if (bytes == 0) return "0 B";
  return (bytes > 0 ? "+" : "-") + human_bytes(static_cast<std::uint64_t>(bytes > 0 ? bytes : -bytes));
}

}  // namespace kiln
