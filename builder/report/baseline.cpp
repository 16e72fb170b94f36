#include "builder/report/baseline.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/atomic_file.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "builder/report/json_fields.hpp"

namespace kiln {

namespace {

using Json = nlohmann::ordered_json;

constexpr JsonLimits kLimits = {.max_bytes = std::size_t{64} << 20, .max_depth = 8};

Baseline read_baseline(const JsonMembers& fields) {
  fields.only({"kind", "reference", "compressed_bytes", "unpacked_bytes", "date", "kiln_version", "image_digest",
               "source_digest", "layers"});
  Baseline baseline;
  try {
    baseline.kind = parse_baseline_kind(fields.string("kind"));
  } catch (const Error& error) {
    fields.refuse("kind", error.message());
  }
  baseline.reference = fields.string("reference");
  baseline.compressed_bytes = fields.unsigned_integer("compressed_bytes");
  if (baseline.compressed_bytes == 0) fields.refuse("compressed_bytes", "expected more than 0 bytes");
  baseline.unpacked_bytes = fields.unsigned_integer_or("unpacked_bytes", 0);
  baseline.date = fields.string("date");
  baseline.kiln_version = fields.string_or("kiln_version", "");
  if (fields.has("image_digest")) baseline.image_digest = digest_or_empty(fields, "image_digest");
  if (fields.has("source_digest")) baseline.source_digest = digest_or_empty(fields, "source_digest");
  if (!fields.has("layers")) return baseline;

  std::uint64_t sum = 0;
  fields.each("layers", [&](const JsonMembers& layer) {
    layer.only({"digest", "bytes", "unpacked_bytes", "contents"});
    baseline.layers.push_back({digest_or_empty(layer, "digest"), layer.unsigned_integer("bytes"),
                               layer.unsigned_integer_or("unpacked_bytes", 0)});
    if (layer.has("contents")) {
      const JsonMembers contents = layer.object("contents");
      contents.only({"base", "build_tools", "caches", "duplicates", "packages", "repeated"});
      baseline.layers.back().contents = read_contents(contents);
    }
    sum += baseline.layers.back().bytes;
  });
  if (!baseline.layers.empty() && sum != baseline.compressed_bytes) {
    fields.refuse("compressed_bytes",
                  fmt::format("expected {}, the sum of the layers, got {}; run 'kiln baseline' again", sum,
                              baseline.compressed_bytes));
  }
  return baseline;
}

Json to_json(const Baseline& baseline) {
  Json value = {{"kind", to_string(baseline.kind)},
                {"reference", baseline.reference},
                {"compressed_bytes", baseline.compressed_bytes},
                {"unpacked_bytes", baseline.unpacked_bytes},
                {"date", baseline.date},
                {"kiln_version", baseline.kiln_version}};
  if (!baseline.image_digest.empty()) value["image_digest"] = baseline.image_digest.str();
  if (!baseline.source_digest.empty()) value["source_digest"] = baseline.source_digest.str();
  for (const BaselineLayer& layer : baseline.layers) {
    Json entry = {{"digest", layer.digest.str()}, {"bytes", layer.bytes}, {"unpacked_bytes", layer.unpacked_bytes}};
    if (layer.contents) entry["contents"] = contents_to_json(*layer.contents);
    value["layers"].push_back(std::move(entry));
  }
  return value;
}

}  // namespace

ReportBaseline Baseline::summary() const {
  ReportBaseline result{kind, reference, compressed_bytes, unpacked_bytes, date};
  if (!layers.empty()) result.contents.emplace();
  for (const BaselineLayer& layer : layers) {
    if (!layer.contents) result.contents.reset();
    if (result.contents) *result.contents += *layer.contents;
  }
  return result;
}

Baselines parse_baselines(std::string_view text, const std::string& file_name) {
  const nlohmann::json root = parse_json_file(text, file_name, kLimits);
  const JsonMembers::Refuse refuse = [&](const std::string& pointer, const std::string& problem) {
    const int line = json_line_of(text, pointer).value_or(1);
    throw Error(Category::usage, fmt::format("{}:{}: {}{}{}", file_name, line, printable(pointer),
                                             pointer.empty() ? "" : ": ", problem));
  };
  const JsonMembers fields(root, refuse);
  fields.only({"schema_version", "baselines"});
  if (const std::uint64_t version = fields.unsigned_integer("schema_version"); version != kBaselinesSchemaVersion) {
    fields.refuse("schema_version",
                  fmt::format("expected {}, got {}; use a newer kiln", kBaselinesSchemaVersion, version));
  }
  Baselines baselines;
  fields.object("baselines").each_member([&](const std::string& image, const JsonMembers& baseline) {
    baselines.emplace(image, read_baseline(baseline));
  });
  return baselines;
}

std::string to_json_text(const Baselines& baselines) {
  Json members = Json::object();
  for (const auto& [image, baseline] : baselines) members[image] = to_json(baseline);
  const Json root = {{"schema_version", kBaselinesSchemaVersion}, {"baselines", std::move(members)}};
  return json_text(root, JsonLayout::indented) + "\n";
}

Baselines read_baselines(const fs::path& file) {
  const std::optional<std::string> text = read_file_if_exists(file, kLimits.max_bytes);
  return text ? parse_baselines(*text, file.string()) : Baselines{};
}

void record_baseline(const fs::path& file, const std::string& image, const Baseline& baseline) {
  Baselines baselines = read_baselines(file);
  baselines[image] = baseline;
  write_file_atomically(file, to_json_text(baselines));
}

}  // namespace kiln
