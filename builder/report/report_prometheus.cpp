#include "builder/report/report_prometheus.hpp"

#include <fmt/format.h>

#include <initializer_list>
#include <utility>

#include "base/text.hpp"

namespace kiln {

namespace {

using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

std::string escaped_label(std::string_view value) {
  std::string result;
  for (const std::string_view line : split(value, '\n')) {
    if (line.data() != value.data()) result += "\\n";
    for (const char c : printable(line)) {
      if (c == '\\' || c == '"') result += '\\';
      result += c;
    }
  }
  return result;
}

class SampleWriter {
 public:
  void metric(std::string_view name, std::string_view help) {
    name_ = name;
    out_ += fmt::format("# HELP {} {}\n# TYPE {} gauge\n", name, help, name);
  }
  void sample(double value, Labels labels = {}) {
    out_ += name_;
    std::string_view separator = "{";
    for (const auto& [name, text] : labels) {
      out_ += fmt::format("{}{}=\"{}\"", separator, name, escaped_label(text));
      separator = ",";
    }
    out_ += fmt::format("{} {}\n", labels.size() == 0 ? "" : "}", value);
  }
  void sample(const std::optional<double>& percent, Labels labels = {}) {
    if (percent) sample(*percent / 100, labels);
  }
  std::string finish() { return std::move(out_); }

 private:
  std::string out_;
  std::string name_;
};

}  // namespace

std::string report_prometheus(const ReportDocument& document) {
  const BuildReport& report = document.report;
  SampleWriter writer;
  const auto each_image = [&](std::string_view name, std::string_view help, const auto& value) {
    writer.metric(name, help);
    for (const ReportImage& image : report.images)
      writer.sample(value(image), {{"image", image.name}, {"profile", image.profile}});
  };
  each_image("kiln_image_compressed_bytes", "Compressed bytes of the image's layers.",
             [](const ReportImage& image) { return static_cast<double>(image.compressed_bytes); });
  each_image("kiln_image_unpacked_bytes", "Bytes of the image's layers as tar.",
             [](const ReportImage& image) { return static_cast<double>(image.unpacked_bytes); });
  each_image("kiln_image_unique_bytes", "Compressed bytes of layers that no image of another name of the run has.",
             [](const ReportImage& image) { return static_cast<double>(image.unique_bytes); });
  each_image("kiln_image_reduction_ratio", "Share of the baseline's compressed bytes that is gone.",
             [](const ReportImage& image) { return image.reduction_pct; });
  writer.metric("kiln_fleet_stored_bytes", "Compressed bytes of all layers of the run, each counted once.");
  writer.sample(static_cast<double>(report.fleet.stored_bytes));
  writer.metric("kiln_fleet_reduction_ratio", "Share of the baselines' stored bytes that is gone.");
  writer.sample(report.fleet.reduction_pct);
  writer.metric("kiln_fleet_unpacked_reduction_ratio", "Share of the baselines' stored bytes that is gone, as tar.");
  writer.sample(report.fleet.unpacked_reduction_pct);
  writer.metric("kiln_reduction_bytes", "Compressed bytes saved against the baselines' stored bytes, by cause.");
  for (const CauseShare& share : document.fleet_causes)
    writer.sample(static_cast<double>(share.saved_bytes), {{"cause", to_string(share.cause)}});
  writer.metric("kiln_cache_hit_ratio", "Share of steps that came from the cache: by number, by bytes and by seconds.");
  writer.sample(report.rates.steps_pct, {{"by", "steps"}});
  writer.sample(report.rates.bytes_pct, {{"by", "bytes"}});
  writer.sample(report.rates.seconds_pct, {{"by", "seconds"}});
  writer.metric("kiln_wire_bytes", "Bytes that went to and came from registries, and those mounted instead.");
  writer.sample(static_cast<double>(report.wire.pushed_bytes), {{"direction", "pushed"}});
  writer.sample(static_cast<double>(report.wire.pulled_bytes), {{"direction", "pulled"}});
  writer.sample(static_cast<double>(report.wire.mounted_bytes), {{"direction", "mounted"}});
  writer.metric("kiln_build_seconds", "Wall time of the run.");
  writer.sample(report.seconds);
  writer.metric("kiln_report_timestamp_seconds", "When the run ended, in seconds since 1970.");
  writer.sample(static_cast<double>(report.created));
  return writer.finish();
}

}  // namespace kiln
