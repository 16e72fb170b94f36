#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "builder/cache/build_record.hpp"
#include "builder/cache/cache_entry.hpp"
#include "builder/cache/chunk_list.hpp"
#include "builder/cache/entry_bundle.hpp"
#include "builder/cache/entry_signature.hpp"
#include "builder/cache/layer_entry.hpp"
#include "builder/cache/record_sum.hpp"
#include "builder/cache/step_claim.hpp"
#include "builder/cache/step_record.hpp"
#include "tests/fuzz/attempt.hpp"
#include "tests/unit/sign/test_keys.hpp"

// What a shared cache and the store keep, from anybody who may write there. The first byte says what the rest is. Where
// a format ends with a sum of itself, the sum is put right first, or hardly an input would get past it.
namespace kiln::fuzz {

namespace {

const std::string kKey(64, 'a');

std::string with_sum(std::string_view text) {
  auto value = try_parse_json(text);
  if (!value || !value->is_object()) return std::string(text);
  value->erase("sum");
  return dump_with_sum(std::move(*value));
}

std::string with_last_line_of_sum(std::string_view text) {
  const std::size_t at = text.rfind("sum ");
  const std::string rest(text.substr(0, at));
  return rest + "sum " + std::string(oci::sha256_of(rest).hex()) + "\n";
}

void take_step_record(std::string_view text) {
  is_read_as_written(
      Category::machine, with_last_line_of_sum(text),
      [](std::string_view from) { return parse_step_record(from, kKey, "input"); },
      [](const StepRecord& record) { return serialise(record); });
  may_refuse(Category::machine, [&] {
    const StepRecord record = parse_step_record(with_last_line_of_sum(text), kKey, "input");
    for (const StepInput& input : record.inputs.list()) input_type(input.name);
    to_text(find_differences({{"command", "make"}, {"file a", "b"}}, record));
  });
}

CacheEntry entry_of(std::string_view content) {
  CacheEntry entry;
  entry.key = kKey;
  entry.media_type = kStepEntryType;
  entry.content = content;
  entry.blobs = {{"application/x", oci::sha256_of(content), content.size(), {}, {}, {}}};
  return entry;
}

bool equal(const CacheEntry& a, const CacheEntry& b) {
  return a.key == b.key && a.media_type == b.media_type && a.content == b.content && a.blobs == b.blobs &&
         a.signature == b.signature;
}

void take_entry(std::string_view text) {
  static const EntrySignatures trusted = [] {
    EntrySignatures signatures;
    signatures.trust(test::kEd25519Public, "the key");
    return signatures;
  }();
  may_refuse(Category::network, [&] {
    const CacheEntry entry = parse_entry(text, kKey, "input");
    must_take("an entry written again is refused", [&] {
      require(equal(parse_entry(serialise(entry), kKey, "again"), entry), "an entry written again is another one");
    });
    require(!trusted.problem(entry).empty(), "an entry counts that nobody signed");
  });
  CacheEntry made = entry_of(text);
  made.signature = text.substr(0, text.find('\n'));
  require(!trusted.problem(made).empty(), "an entry counts that nobody signed");
  must_take("an entry is refused", [&] {
    require(equal(parse_entry(serialise(made), kKey, "made"), made), "an entry is read as another one");
  });
}

void take_bundle(std::string_view text) {
  is_read_as_written(
      Category::network, text, [](std::string_view from) { return parse_bundle(from, "input"); },
      [](const std::vector<CacheEntry>& entries) { return serialise_bundle(entries); });
}

void take_layer(std::string_view text) {
  const auto layer = parse_layer_entry(text);
  if (layer) require(parse_layer_entry(serialise_layer_entry(*layer)) == layer, "a layer is read as another one");
}

LayerValue sample_layer() {
  LayerValue layer;
  layer.diff_id = oci::sha256_of("tar");
  layer.unpacked_bytes = 3;
  layer.blobs = {{{oci::media_type::kOciLayerGzip, oci::sha256_of("gz"), 2, {{"a", "b"}}, {}, {}}, Compression{}}};
  layer.index = oci::Descriptor{"application/x", oci::sha256_of("index"), 5, {}, {}, {}};
  layer.part = "torch 2.3.1";
  return layer;
}

std::string sample_step_record() {
  StepRecord record;
  record.key = kKey;
  record.text = "RUN make";
  record.target = "app";
  record.file = "Dockerfile";
  record.line = 7;
  record.seconds = 1.25;
  record.created = "2026-01-01T00:00:00Z";
  record.salt = "0011";
  record.layers = {sample_layer()};
  record.inputs = salted_inputs({{"command", "make"}, {"ARG API_TOKEN", "x"}}, record.salt);
  record.network.emplace();
  record.network->add(Download{"http://a/1", "GET", 200, 3, oci::sha256_of("abc")});
  record.network->add(Tunnel{"h", 443, 1, 2});
  return serialise(record);
}

std::string sample_build_record() {
  BuildRecordStep step;
  step.stage = "stage-0";
  step.index = 2;
  step.key = kKey;
  step.reason = "file a changed";
  step.seconds = 0.5;
  step.diff_ids = {oci::sha256_of("tar")};
  step.against = "2026-01-01T00:00:00Z";
  step.differences = {{"ARG VERSION", InputDifference::Change::changed, "1", "2", {}},
                      {"parent layer 1", InputDifference::Change::gone, {}, {}, "RUN make"}};
  BuildRecord record;
  record.id = "20261121T094210.123456-1f00ab34";
  record.created = "2026-11-21T09:42:10Z";
  record.kiln_version = "1.0";
  record.targets = {{"app-pc2",
                     "app",
                     "pc2",
                     "linux/amd64",
                     "Dockerfile",
                     {"ghcr.io/acme/app:1"},
                     oci::sha256_of("m"),
                     {step},
                     {"base"}}};
  return serialise(record);
}

}  // namespace

void fuzz_one(std::string_view input) {
  if (input.empty()) return;
  const std::string_view text = input.substr(1);
  switch (input[0]) {
    case 's':
      return take_step_record(text);
    case 'b':
      return is_read_as_written(
          Category::machine, with_sum(text), [](std::string_view from) { return parse_build_record(from, "input"); },
          [](const BuildRecord& record) { return serialise(record); });
    case 'c':
      return is_read_as_written(
          Category::network, text, [](std::string_view from) { return parse_step_claim(from, kKey, "input"); },
          [](const StepClaim& claim) { return serialise(claim, kKey); });
    case 'k':
      return is_read_as_written(
          Category::network, with_sum(text), [](std::string_view from) { return parse_chunk_list(from, "input"); },
          [](const ChunkList& list) { return serialise(list); });
    case 'e':
      return take_entry(text);
    case 'B':
      return take_bundle(text);
    default:
      return take_layer(text);
  }
}

std::vector<std::string> seeds() {
  CacheEntry signed_entry = entry_of("content\n");
  signed_entry.signature = "ed25519:" + std::string(16, '0') + ":" + std::string(86, 'A') + "==";
  ChunkList list{oci::sha256_of("ab"), 2, {{oci::sha256_of("a"), 1}, {oci::sha256_of("b"), 1}}};
  return {"s" + sample_step_record(),
          "b" + sample_build_record(),
          "c" + serialise(StepClaim{std::string(32, 'b'), 7, true}, kKey),
          "k" + serialise(list),
          "e" + serialise(signed_entry),
          "e" + serialise(entry_of("")),
          "eed25519:0000000000000000:AAAA\nx",
          "B" + serialise_bundle({signed_entry, entry_of("x")}),
          "B{\"version\":1,\"entries\":[]}",
          "l" + serialise_layer_entry(sample_layer())};
}

std::vector<std::string> words() {
  return {"\"version\":2",
          "\"kind\":\"copy\"",
          "\"layers\":[",
          "\"blobs\":[",
          "\"network\":{",
          "\"promise\":\"none\"",
          "\"downloads\":[",
          "\"tunnels\":[",
          "\"steps\":[",
          "\"differences\":[",
          "\"change\":\"gone\"",
          "\"outcome\":\"hit\"",
          "\"chunks\":[",
          "\"bytes\":",
          "\"diff_id\":",
          "\"compression\":",
          "gzip:9",
          "zstd",
          "null",
          "[\"command\",\"00\"]\n",
          "sum ",
          "blobs 2\n",
          "kiln cache entry 1\n",
          "ed25519:",
          "sha256:",
          "1e999",
          "-1",
          "18446744073709551615",
          "\\ud800",
          "\xff",
          "{}",
          "[]"};
}

}  // namespace kiln::fuzz
