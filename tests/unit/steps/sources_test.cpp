#include <doctest/doctest.h>
#include <fmt/format.h>

#include "base/error.hpp"
#include "base/temp_dir.hpp"
#include "builder/steps/archive_source.hpp"
#include "builder/steps/fetched_source.hpp"
#include "builder/steps/git_source.hpp"
#include "tests/support/error_of.hpp"
#include "tests/unit/layer/compressed.hpp"
#include "tests/unit/layer/tar_fixture.hpp"

using namespace kiln;

namespace {

// Answers every request with one body.
class OneBody : public HttpClient {
 public:
  OneBody(std::string body, std::string encoding) : body_(std::move(body)), encoding_(std::move(encoding)) {}

  HttpResponse send(const HttpRequest& request, const CancelToken&) override {
    HttpResponse response;
    response.status = 200;
    if (!encoding_.empty()) response.headers.add("Content-Encoding", encoding_);
    request.wants_body(response.status, response.headers);
    if (body_.size() > request.max_streamed_bytes)
      throw TransportError(TransportFault::too_large, "more than the expected bytes came", 0, 0);
    request.on_body(body_);
    return response;
  }

 private:
  std::string body_;
  std::string encoding_;
};

}  // namespace

TEST_CASE("a URL's file is named after the last part of its path") {
  CHECK(file_name_of_url("https://host/a/b.tar.gz?x=/y#z") == "b.tar.gz");
  CHECK(file_name_of_url("https://host/a%20b") == "a b");
  CHECK(file_name_of_url("http://host/dir/") == "dir");
  for (const char* url : {"http://host", "http://host/", "http://host/..", "http://host/a%2fb", "http://host/%00"}) {
    CAPTURE(url);
    CHECK(file_name_of_url(url) == "__unnamed__");
  }
}

TEST_CASE("git sources are told from files and downloads") {
  CHECK(parse_git_reference("https://host/repo.git"));
  CHECK(parse_git_reference("git@host:acme/repo.git"));
  CHECK(parse_git_reference("ssh://host/repo"));
  CHECK_FALSE(parse_git_reference("https://host/repo.tar.gz"));
  CHECK_FALSE(parse_git_reference("repo.git"));
  CHECK_FALSE(parse_git_reference("dir/a@b:c"));
}

TEST_CASE("a git source names a reference and a folder") {
  const auto reference = parse_git_reference("https://host/repo.git#v1:sub/dir");
  REQUIRE(reference);
  CHECK(reference->remote == "https://host/repo.git");
  CHECK(reference->ref == "v1");
  CHECK(reference->folder == "sub/dir");
  CHECK(parse_git_reference("https://host/repo.git#:sub")->ref.empty());
}

TEST_CASE("a git source says the same by a query") {
  const auto reference =
      parse_git_reference("https://host/repo.git?branch=main&subdir=a%20b&keep-git-dir&submodules=false&commit=0a");
  REQUIRE(reference);
  CHECK(reference->remote == "https://host/repo.git");
  CHECK(reference->ref == "refs/heads/main");
  CHECK(reference->folder == "a b");
  CHECK(reference->checksum == "0a");
  CHECK(reference->keep_git_folder);
  CHECK_FALSE(reference->submodules);
  CHECK(parse_git_reference("https://host/repo.git?tag=v1#refs/tags/v1")->ref == "refs/tags/v1");
  CHECK(parse_git_reference("https://host/repo.git?mtime=commit")->commit_times);
  CHECK_FALSE(parse_git_reference("https://host/repo.git?mtime=checkout")->commit_times);
  CHECK(parse_git_reference("https://host/repo.git?keep-git-dir=T")->keep_git_folder);
  CHECK_FALSE(parse_git_reference("https://host/repo.git?submodules=False")->submodules);
}

TEST_CASE("a git source goes by its commit alone where its query says so") {
  const std::string commit(40, 'A');
  const std::string ref(40, 'a');
  CHECK(parse_git_reference("https://host/repo.git?branch=main&fetch-by-commit=true&commit=" + commit)->ref == ref);
  CHECK(parse_git_reference("https://host/repo.git?fetch-by-commit=1#" + ref)->ref == ref);
  CHECK(parse_git_reference("https://host/repo.git?fetch-by-commit=0&branch=main")->ref == "refs/heads/main");
  CHECK(error_of([&] { parse_git_reference("https://host/repo.git?fetch-by-commit=true&checksum=0a"); }) ==
        "usage: git source 'https://host/repo.git': 'fetch-by-commit' needs all digits of a commit as 'checksum' or "
        "reference, got '0a'");
}

TEST_CASE("what git reaches by SSH is told from what it reaches otherwise") {
  CHECK(is_reached_by_ssh("ssh://git@host/acme/app.git"));
  CHECK(is_reached_by_ssh("git@host:acme/app.git#main"));
  CHECK_FALSE(is_reached_by_ssh("https://host/acme/app.git"));
  CHECK_FALSE(is_reached_by_ssh("git://host/acme/app.git"));
  CHECK_FALSE(is_reached_by_ssh("folder"));
}

TEST_CASE("a git source's query says known things, once each and with a value") {
  CHECK(error_of([&] { parse_git_reference("https://host/repo.git?brunch=main"); }) ==
        "usage: git source 'https://host/repo.git': unknown query 'brunch'; did you mean 'branch'?");
  CHECK(error_of([&] { parse_git_reference("https://host/repo.git?ref=a#b"); }) ==
        "usage: git source 'https://host/repo.git#b': 'ref' says 'b' and 'a'");
  CHECK(error_of([&] { parse_git_reference("https://host/repo.git?tag=a&branch=b"); }) ==
        "usage: git source 'https://host/repo.git#refs/tags/a': 'branch' says 'refs/tags/a' and 'refs/heads/b'");
  CHECK(error_of([&] { parse_git_reference("https://host/repo.git?subdir="); }) ==
        "usage: git source 'https://host/repo.git': 'subdir' has no value");
  CHECK(error_of([&] { parse_git_reference("https://host/repo.git?submodules=maybe"); }) ==
        "usage: git source 'https://host/repo.git': expected true or false, got 'maybe'");
  CHECK(error_of([&] { parse_git_reference("https://host/repo.git?mtime=now"); }) ==
        "usage: git source 'https://host/repo.git': 'mtime' is checkout or commit, got 'now'");
  CHECK(error_of([&] { parse_git_reference("https://host/repo.git?checksum=zz"); }) ==
        "usage: git source 'https://host/repo.git': 'checksum' is a commit's hexadecimal digits, got 'zz'");
}

TEST_CASE("a git source shows no password and passes no option to git") {
  CHECK(parse_git_reference("https://me:secret@host/repo.git#v1")->shown() == "https://host/repo.git#v1");
  CHECK(error_of([&] { parse_git_reference("https://host/repo.git#--upload-pack=evil"); }) ==
        "usage: git source 'https://host/repo.git#--upload-pack=evil': nothing in it may begin with '-'");
}

TEST_CASE("an archive that takes too much memory is refused, and not copied as what only looks compressed") {
  const TempDir work;
  const auto refusal = [&](const std::string& bytes) {
    return error_of([&] { spool_archive(std::make_unique<MemorySource>(bytes), work.path(), "a.tar"); });
  };
  // A window of 256 MiB, and a last block of one raw byte.
  CHECK(refusal(std::string("\x28\xb5\x2f\xfd\0\x90\x09\0\0a", 10)) ==
        "build: 'a.tar' needs a zstd window of more than 128 MiB; compress it with '--long=27' at most");
  // `printf a | xz --lzma2=dict=1536MiB`: its header, and the beginning of its block.
  CHECK(refusal(std::string("\xfd"
                            "7zXZ\0\0\x04\xe6\xd6\xb4\x46\x02\0\x21\x01\x25\0\0\0;x{A\x01\0\0a\0\0\0\0",
                            32)) == "build: 'a.tar' needs more than 1 GiB of memory; compress it with 'xz -9' at most");
}

TEST_CASE("an archive is unpacked to its limit and no further") {
  const TempDir work;
  const std::string tar = kiln::test::RawTar().file("a", "text").str();
  const auto spool = [&](std::uint64_t max_bytes) {
    return spool_archive(std::make_unique<MemorySource>(tar), work.path(), "a.tar", max_bytes);
  };
  CHECK(spool(tar.size()));
  CHECK(error_of([&] { spool(tar.size() - 1); }) ==
        fmt::format("build: 'a.tar' is larger than {} bytes", tar.size() - 1));
  CHECK(kMaxArchiveBytes == std::uint64_t{64} << 30);
}

TEST_CASE("what a URL brings is bounded as it comes and decoded") {
  const TempDir work;
  const SourceSecrets secrets;
  int number = 0;
  const auto fetch = [&](std::string body, const char* encoding, std::uint64_t most_bytes) {
    OneBody http(std::move(body), encoding);
    const fs::path place = work.path() / std::to_string(number++);
    return error_of([&] { download_url(http, "http://host/f", "", secrets, place, CancelToken(), most_bytes); });
  };
  const std::string packed = kiln::test::compressed(std::string(5000, 'a'), Compression::parse("gzip"));
  REQUIRE(packed.size() < 1000);
  CHECK(fetch(packed, "gzip", 5000) == "");
  CHECK(fetch(packed, "gzip", 4999) ==
        "network: 'http://host/f' unpacks to more than 4999 bytes, in its Content-Encoding");
  CHECK(fetch(std::string(5000, 'a'), "", 5000) == "");
  CHECK(fetch(std::string(5000, 'a'), "", 4999) == "network: more than the expected bytes came");
  CHECK(kMaxFetchedBytes == std::uint64_t{64} << 30);
}
