#include "builder/netlog/network_record.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;

namespace {

Download download(const std::string& url, std::uint64_t bytes = 3) {
  return {url, "GET", 200, bytes, oci::sha256_of(url)};
}

}  // namespace

TEST_CASE("a record is read back as it was written, in one order") {
  NetworkRecord record;
  record.promise = NetworkPromise::recorded;
  record.add(download("http://b/2"));
  record.add(download("http://a/1"));
  record.add(Download{"http://a/1", "HEAD", 404, 0, std::nullopt});
  record.add(download("http://b/2"));
  record.add(Tunnel{"z.example", 443, 1, 2});
  record.add(Tunnel{"a.example", 443, 10, 20});
  record.add(Tunnel{"a.example", 443, 5, 5});
  CHECK(record.downloads.size() == 3);
  CHECK(record.bytes() == 6 + 27);
  const nlohmann::json json = record.to_json();
  CHECK(json["downloads"][0]["url"] == "http://a/1");
  CHECK(json["tunnels"][0]["sent_bytes"] == 15);
  const NetworkRecord read = NetworkRecord::from_json(json, "record");
  CHECK(read.to_json() == json);
  CHECK(read.downloads == record.downloads);
  CHECK(read.promise == NetworkPromise::recorded);
}

TEST_CASE("only a whole answer of its own stands for what is behind a URL") {
  CHECK(download("http://a/").is_whole());
  CHECK_FALSE(Download{"http://a/", "GET", 206, 3, oci::sha256_of("x")}.is_whole());
  CHECK_FALSE(Download{"http://a/", "GET", 200, 3, std::nullopt}.is_whole());
  CHECK_FALSE(Download{"http://a/", "GET", 404, 3, oci::sha256_of("x")}.is_whole());
  CHECK_FALSE(Download{"http://a/", "PUT", 200, 3, oci::sha256_of("x")}.is_whole());
}

TEST_CASE("a record keeps 10,000 downloads, 1,000 tunnels and URLs of 1,024 bytes, and counts what is beyond") {
  NetworkRecord record;
  for (int i = 0; i < 10'001; ++i) record.add(download(fmt::format("http://a/{}", i)));
  record.add(download("http://a/1"));
  CHECK(record.downloads.size() == 10'000);
  CHECK(record.omitted == 1);
  for (int i = 0; i < 1'001; ++i) record.add(Tunnel{fmt::format("h{}", i), 443, 1, 1});
  record.add(Tunnel{"h1", 443, 1, 1});
  CHECK(record.tunnels.size() == 1'000);
  CHECK(record.omitted == 2);
  NetworkRecord other;
  other.add(download("http://a/" + std::string(1024 - 9, 'x')));
  other.add(download("http://a/" + std::string(1024 - 8, 'x')));
  CHECK(other.downloads.size() == 1);
  CHECK(other.omitted == 1);
  CHECK(NetworkRecord::from_json(other.to_json(), "record").omitted == 1);
}

TEST_CASE("what is no record is refused by its place") {
  using nlohmann::json;
  CHECK_ERROR(NetworkRecord::from_json(json::array(), "record"), Category::machine, doctest::Contains("record"));
  CHECK_ERROR(NetworkRecord::from_json({{"promise", "all"}, {"downloads", json::array()}, {"tunnels", json::array()}},
                                       "record"),
              Category::machine, "record: 'promise': expected \"logged\", \"recorded\" or \"none\"");
  CHECK_ERROR(NetworkRecord::from_json({{"promise", "logged"}, {"tunnels", json::array()}}, "record"),
              Category::machine, doctest::Contains("downloads"));
}
