#include "builder/report/report_json.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/text.hpp"
#include "builder/policy/findings_output.hpp"
#include "builder/report/image_causes.hpp"
#include "builder/report/json_fields.hpp"

namespace kiln {

namespace {

using Json = nlohmann::ordered_json;

double milliseconds(double seconds) { return std::round(seconds * 1000) / 1000; }

Json optional_number(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

Json to_json(const std::vector<CauseShare>& causes) {
  Json result = Json::array();
  for (const CauseShare& share : causes) {
    Json entry = {{"cause", to_string(share.cause)}, {"saved_bytes", share.saved_bytes}};
    if (share.cause != Cause::compression) {
      entry["unpacked_bytes_before"] = share.unpacked_before;
      entry["unpacked_bytes"] = share.unpacked_after;
    }
    result.push_back(std::move(entry));
  }
  return result;
}

Json to_json(const ReportImage& image) {
  Json layers = Json::array();
  for (const ReportLayer& layer : image.layers) {
    layers.push_back({{"digest", layer.digest.str()},
                      {"diff_id", layer.diff_id.str()},
                      {"bytes", layer.bytes},
                      {"unpacked_bytes", layer.unpacked_bytes},
                      {"file", layer.file},
                      {"line", layer.line},
                      {"text", layer.text}});
  }
  Json baseline = nullptr;
  if (image.baseline) {
    baseline = {{"kind", to_string(image.baseline->kind)},
                {"reference", image.baseline->reference},
                {"compressed_bytes", image.baseline->compressed_bytes},
                {"unpacked_bytes", image.baseline->unpacked_bytes},
                {"date", image.baseline->date}};
    if (image.baseline->contents) baseline["contents"] = contents_to_json(*image.baseline->contents);
  }
  Json result = {{"name", image.name},
                 {"profile", image.profile},
                 {"digest", image.digest.str()},
                 {"compressed_bytes", image.compressed_bytes},
                 {"unpacked_bytes", image.unpacked_bytes},
                 {"unique_bytes", image.unique_bytes},
                 {"shared_bytes", image.shared_bytes},
                 {"layers", std::move(layers)},
                 {"baseline", std::move(baseline)},
                 {"reduction_pct", optional_number(image.reduction_pct)},
                 {"unpacked_reduction_pct", optional_number(image.unpacked_reduction_pct)}};
  if (image.limit_bytes) result["limit_bytes"] = *image.limit_bytes;
  if (image.waste) {
    Json waste = Json::array();
    for (const Waste& item : *image.waste) {
      waste.push_back({{"kind", to_string(item.kind)},
                       {"layer", item.layer},
                       {"because", item.because},
                       {"bytes", item.bytes},
                       {"files", item.files},
                       {"example", item.example},
                       {"advice", item.advice}});
    }
    result["waste"] = std::move(waste);
  }
  if (image.contents) result["contents"] = contents_to_json(*image.contents);
  if (const std::vector<CauseShare> causes = image_causes(image); !causes.empty()) result["causes"] = to_json(causes);
  return result;
}

Json to_json(const ReportStep& step) {
  Json result = {{"key", step.key},
                 {"image", step.image},
                 {"shared_with", step.shared_with},
                 {"file", step.file},
                 {"line", step.line},
                 {"text", step.text},
                 {"outcome", to_string(step.outcome)},
                 {"from", step.from},
                 {"reason", step.reason},
                 {"seconds", milliseconds(step.seconds)},
                 {"bytes", step.bytes}};
  if (step.network) result["network"] = step.network->to_json();
  if (step.started) result["started"] = milliseconds(*step.started);
  if (step.ended) result["ended"] = milliseconds(*step.ended);
  return result;
}

Json to_json(const ReportFleet& fleet) {
  Json result = {{"images", fleet.images},
                 {"layers", fleet.layers},
                 {"stored_layers", fleet.stored_layers},
                 {"compressed_bytes", fleet.compressed_bytes},
                 {"unpacked_bytes", fleet.unpacked_bytes},
                 {"stored_bytes", fleet.stored_bytes},
                 {"stored_unpacked_bytes", fleet.stored_unpacked_bytes},
                 {"compared_bytes", fleet.compared_bytes},
                 {"baseline_bytes", fleet.baseline_bytes},
                 {"compared_unpacked_bytes", fleet.compared_unpacked_bytes},
                 {"baseline_unpacked_bytes", fleet.baseline_unpacked_bytes},
                 {"reduction_pct", optional_number(fleet.reduction_pct)},
                 {"unpacked_reduction_pct", optional_number(fleet.unpacked_reduction_pct)},
                 {"mean_reduction_pct", optional_number(fleet.mean_reduction_pct)}};
  if (fleet.baseline_contents) result["baseline_contents"] = contents_to_json(*fleet.baseline_contents);
  if (fleet.compared_contents) result["compared_contents"] = contents_to_json(*fleet.compared_contents);
  if (const std::vector<CauseShare> causes = fleet_causes(fleet); !causes.empty()) result["causes"] = to_json(causes);
  return result;
}

Json to_json(const ReportSharing& sharing) {
  return {{"name", sharing.name},
          {"profiles", sharing.profiles},
          {"layers", sharing.layers},
          {"shared_layers", sharing.shared_layers},
          {"shared_bytes", sharing.shared_bytes},
          {"text", sharing.text()}};
}

ReportImage read_image(const JsonMembers& fields) {
  ReportImage image;
  image.name = fields.string("name");
  image.profile = fields.string("profile");
  image.digest = digest_or_empty(fields, "digest");
  image.compressed_bytes = fields.unsigned_integer("compressed_bytes");
  image.unpacked_bytes = fields.unsigned_integer("unpacked_bytes");
  image.unique_bytes = fields.unsigned_integer("unique_bytes");
  image.shared_bytes = fields.unsigned_integer("shared_bytes");
  fields.each("layers", [&](const JsonMembers& layer) {
    image.layers.push_back(ReportLayer{digest_or_empty(layer, "digest"), digest_or_empty(layer, "diff_id"),
                                       layer.unsigned_integer("bytes"), layer.unsigned_integer("unpacked_bytes"),
                                       layer.string("file"), layer.small_integer("line"), layer.string("text")});
  });
  if (fields.has("baseline")) {
    const JsonMembers baseline = fields.object("baseline");
    ReportBaseline value;
    try {
      value.kind = parse_baseline_kind(baseline.string("kind"));
    } catch (const Error& error) {
      baseline.refuse("kind", error.message());
    }
    value.reference = baseline.string("reference");
    value.compressed_bytes = baseline.unsigned_integer("compressed_bytes");
    value.unpacked_bytes = baseline.unsigned_integer("unpacked_bytes");
    value.date = baseline.string("date");
    if (baseline.has("contents")) value.contents = read_contents(baseline.object("contents"));
    image.baseline = std::move(value);
  }
  image.reduction_pct = fields.number_or_null("reduction_pct");
  if (fields.has("unpacked_reduction_pct")) image.unpacked_reduction_pct = fields.number("unpacked_reduction_pct");
  if (fields.has("contents")) image.contents = read_contents(fields.object("contents"));
  if (fields.has("limit_bytes")) image.limit_bytes = fields.unsigned_integer("limit_bytes");
  if (fields.has("waste")) {
    image.waste.emplace();
    fields.each("waste", [&](const JsonMembers& item) {
      Waste waste;
      try {
        waste.kind = parse_waste_kind(item.string("kind"));
      } catch (const Error& error) {
        item.refuse("kind", error.message());
      }
      waste.layer = item.unsigned_integer("layer");
      waste.because = item.unsigned_integer("because");
      if (waste.layer >= image.layers.size() || waste.because >= image.layers.size())
        item.refuse("layer", "the image has no such layer");
      waste.bytes = item.unsigned_integer("bytes");
      waste.files = item.unsigned_integer("files");
      waste.example = item.string("example");
      waste.advice = item.string("advice");
      image.waste->push_back(std::move(waste));
    });
  }
  return image;
}

ReportStep read_step(const JsonMembers& fields) {
  ReportStep step;
  step.key = fields.string("key");
  step.image = fields.string("image");
  step.shared_with = fields.strings("shared_with");
  step.file = fields.string("file");
  step.line = fields.small_integer("line");
  step.text = fields.string("text");
  const auto outcome = parse_step_outcome(fields.string("outcome"));
  if (!outcome) fields.refuse("outcome", "expected 'hit', 'built' or 'failed'");
  step.outcome = *outcome;
  step.from = fields.string("from");
  step.reason = fields.string("reason");
  step.seconds = fields.number("seconds");
  step.bytes = fields.unsigned_integer("bytes");
  if (const auto* network = fields.find("network")) step.network = NetworkRecord::from_json(*network, "report");
  if (fields.has("started")) step.started = fields.number("started");
  if (fields.has("ended")) step.ended = fields.number("ended");
  return step;
}

ReportFleet read_fleet(const JsonMembers& fields) {
  ReportFleet fleet;
  fleet.images = fields.unsigned_integer("images");
  fleet.layers = fields.unsigned_integer("layers");
  fleet.stored_layers = fields.unsigned_integer("stored_layers");
  fleet.compressed_bytes = fields.unsigned_integer("compressed_bytes");
  fleet.unpacked_bytes = fields.unsigned_integer("unpacked_bytes");
  fleet.stored_bytes = fields.unsigned_integer("stored_bytes");
  fleet.stored_unpacked_bytes = fields.unsigned_integer("stored_unpacked_bytes");
  fleet.compared_bytes = fields.unsigned_integer("compared_bytes");
  fleet.baseline_bytes = fields.unsigned_integer("baseline_bytes");
  fleet.reduction_pct = fields.number_or_null("reduction_pct");
  fleet.mean_reduction_pct = fields.number_or_null("mean_reduction_pct");
  fleet.compared_unpacked_bytes = fields.unsigned_integer_or("compared_unpacked_bytes", 0);
  fleet.baseline_unpacked_bytes = fields.unsigned_integer_or("baseline_unpacked_bytes", 0);
  if (fields.has("unpacked_reduction_pct")) fleet.unpacked_reduction_pct = fields.number("unpacked_reduction_pct");
  if (fields.has("compared_contents")) fleet.compared_contents = read_contents(fields.object("compared_contents"));
  if (fields.has("baseline_contents")) fleet.baseline_contents = read_contents(fields.object("baseline_contents"));
  return fleet;
}

Json to_json(const ReportTargets& targets) {
  Json json = Json::object();
  if (targets.reduction_pct_min) {
    json["reduction_pct"] = {*targets.reduction_pct_min, targets.reduction_pct_max.value_or(100)};
  }
  if (targets.cache_hit_pct) json["cache_hit_pct"] = *targets.cache_hit_pct;
  if (targets.build_seconds) json["build_seconds"] = *targets.build_seconds;
  return json;
}

ReportTargets read_targets(const JsonMembers& fields) {
  ReportTargets targets;
  if (fields.has("reduction_pct")) {
    const std::vector<double> reduction = fields.numbers("reduction_pct");
    if (reduction.size() != 2) fields.refuse("reduction_pct", "expected two numbers");
    targets.reduction_pct_min = reduction[0];
    if (reduction[1] < 100) targets.reduction_pct_max = reduction[1];
  }
  if (fields.has("cache_hit_pct")) targets.cache_hit_pct = fields.number("cache_hit_pct");
  if (fields.has("build_seconds")) targets.build_seconds = fields.number("build_seconds");
  return targets;
}

PolicyFinding read_finding(const JsonMembers& fields) {
  PolicyFinding finding;
  finding.rule = fields.string("rule");
  const auto level = parse_policy_level(fields.string("level"));
  if (!level) fields.refuse("level", "expected 'deny' or 'warn'");
  finding.level = *level;
  finding.image = fields.string("image");
  finding.place = {fields.string("file"), fields.small_integer("line")};
  finding.message = fields.string("message");
  finding.fix = fields.string("fix");
  return finding;
}

}  // namespace

std::string to_json_text(const BuildReport& report) {
  Json root = {{"schema_version", kReportSchemaVersion},
               {"kiln_version", report.kiln_version},
               {"created", format_rfc3339(report.created)},
               {"images", Json::array()},
               {"steps", Json::array()},
               {"rates",
                {{"steps_pct", optional_number(report.rates.steps_pct)},
                 {"bytes_pct", optional_number(report.rates.bytes_pct)},
                 {"seconds_pct", optional_number(report.rates.seconds_pct)}}},
               {"wire",
                {{"pushed_bytes", report.wire.pushed_bytes},
                 {"pulled_bytes", report.wire.pulled_bytes},
                 {"mounted_bytes", report.wire.mounted_bytes}}},
               {"fetched", Json::array()},
               {"seconds", milliseconds(report.seconds)},
               {"fleet", to_json(report.fleet)},
               {"sharing", Json::array()},
               {"targets", to_json(report.targets)}};
  if (!report.commit.empty()) root["commit"] = report.commit;
  for (const ReportImage& image : report.images) root["images"].push_back(to_json(image));
  for (const ReportStep& step : report.steps) root["steps"].push_back(to_json(step));
  for (const ReportFetch& fetch : report.fetched) {
    root["fetched"].push_back({{"from", fetch.from},
                               {"what", to_string(fetch.what)},
                               {"step", fetch.step},
                               {"digest", fetch.digest},
                               {"bytes", fetch.bytes}});
  }
  for (const ReportSharing& sharing : report.sharing) root["sharing"].push_back(to_json(sharing));
  if (!report.policy.empty()) root["policy"] = Json(findings_json(report.policy));
  // Instructions are quoted from files that need not be UTF-8.
  return json_text(root, JsonLayout::indented) + "\n";
}

BuildReport parse_report(std::string_view text, std::string_view name, Category category) {
  const nlohmann::json root = parse_json(text, name, category, {.max_bytes = std::size_t{256} << 20, .max_depth = 16});
  const JsonMembers::Refuse refuse = [&](const std::string& pointer, const std::string& problem) {
    throw Error(category, fmt::format("'{}' is no report of kiln: {}{}{}", name, printable(pointer),
                                      pointer.empty() ? "" : ": ", problem));
  };
  const JsonMembers fields(root, refuse);
  const std::uint64_t version = fields.unsigned_integer("schema_version");
  if (version != kReportSchemaVersion) {
    fields.refuse("schema_version",
                  fmt::format("expected {}, got {}; use the kiln that wrote it", kReportSchemaVersion, version));
  }
  BuildReport report;
  report.kiln_version = fields.string("kiln_version");
  try {
    report.created = parse_rfc3339(fields.string("created"));
  } catch (const Error& error) {
    fields.refuse("created", error.message());
  }
  report.commit = fields.string_or("commit");
  fields.each("images", [&](const JsonMembers& image) { report.images.push_back(read_image(image)); });
  fields.each("steps", [&](const JsonMembers& step) { report.steps.push_back(read_step(step)); });
  const JsonMembers rates = fields.object("rates");
  report.rates = {rates.number_or_null("steps_pct"), rates.number_or_null("bytes_pct"),
                  rates.number_or_null("seconds_pct")};
  const JsonMembers wire = fields.object("wire");
  report.wire = {wire.unsigned_integer("pushed_bytes"), wire.unsigned_integer("pulled_bytes"),
                 wire.unsigned_integer("mounted_bytes")};
  // Reports of before there were shared caches have none.
  if (root.contains("fetched")) {
    fields.each("fetched", [&](const JsonMembers& fetch) {
      const auto what = parse_fetched_kind(fetch.string("what"));
      if (!what) fetch.refuse("what", "expected 'layer', 'file index' or 'cache mount'");
      report.fetched.push_back(
          {fetch.string("from"), *what, fetch.string("step"), fetch.string("digest"), fetch.unsigned_integer("bytes")});
    });
  }
  report.seconds = fields.number("seconds");
  report.fleet = read_fleet(fields.object("fleet"));
  fields.each("sharing", [&](const JsonMembers& sharing) {
    report.sharing.push_back(
        ReportSharing{sharing.string("name"), sharing.strings("profiles"), sharing.unsigned_integer("layers"),
                      sharing.unsigned_integer("shared_layers"), sharing.unsigned_integer("shared_bytes")});
  });
  const JsonMembers targets = fields.object("targets");
  report.targets = read_targets(targets);
  fields.each_or_none("policy", [&](const JsonMembers& finding) { report.policy.push_back(read_finding(finding)); });
  return report;
}

}  // namespace kiln
