#include "builder/report/page_data.hpp"

#include <doctest/doctest.h>
#include <libdeflate.h>

#include <nlohmann/json.hpp>

#include "base/base64.hpp"
#include "sample_report.hpp"

using namespace kiln;

namespace {

// Of the second layer of the sample's images, "tools": a package with two files, and files of none.
std::shared_ptr<const FileIndex> index_of_tools() {
  FileIndex::Parts parts;
  parts.diff_id = test::digest_of("tools.tar");
  const auto add = [&](const std::string& path, std::uint64_t size) {
    FileEntry& entry = parts.entries.emplace_back();
    entry.path = path;
    entry.type = EntryType::file;
    entry.size = size;
    entry.content = test::digest_of(path);
  };
  add("usr/bin/curl", 5000);
  add("usr/bin/tini", 700);
  add("usr/lib/libcurl.so", 90000);
  add("etc/empty", 0);
  add("new\nline</script>", 3);
  return std::make_shared<const FileIndex>(std::move(parts));
}

nlohmann::json data_of(const BuildReport& report, const PageDataOptions& options = {}) {
  const auto index = index_of_tools();
  const auto packages = std::make_shared<DiffPackages>();
  packages->packages.push_back({{Ecosystem::deb, "curl", "7.88", "amd64", "", "", ""}, "var/lib/dpkg/status"});
  for (const FileEntry& entry : index->entries()) {
    packages->owners.push_back(entry.path.find("curl") == std::string::npos ? std::nullopt
                                                                            : std::optional<std::size_t>(0));
  }
  const LayerSources sources{[&](const oci::Digest& diff_id) { return diff_id == index->diff_id() ? index : nullptr; },
                             [&](const ReportImage&, std::size_t layer) { return layer == 1 ? packages : nullptr; }};
  return nlohmann::json::parse(page_data_json(test::document_of(report), sources, options));
}

}  // namespace

TEST_CASE("profiles whose layers are equal are one group of their image, others are groups of the same image") {
  BuildReport report = test::sample_report();
  report.images.push_back(report.images.back());
  report.images.back().profile = "pc3";
  report.images.back().layers.pop_back();
  const nlohmann::json images = data_of(report).at("images");
  REQUIRE(images.size() == 3);
  CHECK(images[2].at("name") == "memory-fusion-hub");
  const nlohmann::json& groups = images[2].at("groups");
  REQUIRE(groups.size() == 2);
  CHECK(groups[0].at("profiles") == nlohmann::json{"mainpc", "pc2"});
  CHECK(groups[0].at("layers").size() == 4);
  CHECK(groups[1].at("profiles") == nlohmann::json{"pc3"});
  CHECK(groups[1].at("layers").size() == 3);
}

TEST_CASE("files are columns: folders shared with the path before, the rest, the size and the package") {
  const nlohmann::json data = data_of(test::sample_report());
  // Layers stand in order of bytes: python, packages, tools, code.
  CHECK(data.at("layers")[2].at("place") == "base-utils/Dockerfile:3");
  CHECK(data.at("files")[0].is_null());
  const nlohmann::json& files = data.at("files")[2];
  CHECK(files.at("rest") == "new\\x0aline</script>\nusr/bin/curl\ntini\nlib/libcurl.so");
  CHECK(files.at("depth") == nlohmann::json{0, 0, 2, 1});
  CHECK(files.at("size") == nlohmann::json{3, 5000, 700, 90000});
  CHECK(files.at("package") == nlohmann::json{0, 1, 0, 1});
  CHECK(files.at("smaller").empty());
  CHECK(data.at("packages").at("name") == nlohmann::json{"curl"});
  CHECK(data.at("packages").at("version") == nlohmann::json{"7.88"});
  CHECK(data.at("packages").at("ecosystem") == nlohmann::json{"deb"});
}

TEST_CASE("steps are columns with the targets that had them; what ran at no known time is left out") {
  BuildReport report = test::sample_report();
  report.steps[0].started.reset();
  const nlohmann::json steps = data_of(report).at("steps");
  REQUIRE(steps.at("text").size() == 3);  // the sample's last has no time either
  CHECK(steps.at("place")[1] == "memory-fusion-hub/Dockerfile:10");
  CHECK(steps.at("outcome")[1] == 1);
  CHECK(steps.at("names") == nlohmann::json{"memory-fusion-hub-mainpc", "memory-fusion-hub-pc2"});
  CHECK(steps.at("of")[1] == nlohmann::json{0, 1});
}

TEST_CASE("of too many files the largest have names, and the others are summed up by package") {
  const nlohmann::json data = data_of(test::sample_report(), {.most_files = 1});
  const nlohmann::json& files = data.at("files")[2];
  CHECK(files.at("rest") == "usr/lib/libcurl.so");
  CHECK(files.at("smaller") == nlohmann::json{{0, 2, 703}, {1, 1, 5000}});
}

TEST_CASE("deflated bytes are a zlib stream in base64, and can end no script") {
  const std::string text = "</script>" + std::string(100'000, 'a');
  const std::string packed = deflated_base64(text);
  CHECK(packed.size() < 1000);
  CHECK(packed.find('<') == std::string::npos);
  const auto bytes = base64_decoded(packed);
  REQUIRE(bytes);
  std::string back(text.size(), '\0');
  libdeflate_decompressor* decompressor = libdeflate_alloc_decompressor();
  CHECK(libdeflate_zlib_decompress(decompressor, bytes->data(), bytes->size(), back.data(), back.size(), nullptr) ==
        LIBDEFLATE_SUCCESS);
  libdeflate_free_decompressor(decompressor);
  CHECK(back == text);
}
