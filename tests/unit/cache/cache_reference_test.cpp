#include "builder/cache/cache_reference.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"

using namespace kiln;

namespace {

std::string refusal(std::string_view text) {
  try {
    parse_cache_reference(text, CacheDirection::to);
  } catch (const Error& error) {
    CHECK(error.category() == Category::usage);
    return error.message();
  }
  return "";
}

}  // namespace

TEST_CASE("the three kinds are read in buildx's words") {
  const CacheReference registry =
      parse_cache_reference("type=registry,ref=ghcr.io/acme/cache,mode=max,ignore-error=false", CacheDirection::to);
  CHECK(registry == CacheReference{CacheType::registry, "ghcr.io/acme/cache", CacheMode::max, false, 10});
  const CacheReference http =
      parse_cache_reference("type=http,url=http://cache:8080/kiln,timeout=3", CacheDirection::from);
  CHECK(http == CacheReference{CacheType::http, "http://cache:8080/kiln", CacheMode::min, true, 3});
  CHECK(parse_cache_reference("type=local,src=/srv/cache", CacheDirection::from).place == "/srv/cache");
  CHECK(parse_cache_reference("type=local,dest=/srv/x/../cache", CacheDirection::to).place == "/srv/cache");
}

TEST_CASE("a bare word is a repository") {
  CHECK(parse_cache_reference("ghcr.io/acme/cache", CacheDirection::from) ==
        CacheReference{CacheType::registry, "ghcr.io/acme/cache", CacheMode::min, true, 10});
}

TEST_CASE("what cannot be had is refused with what to use instead") {
  CHECK(refusal("type=gha").find("type=registry") != std::string::npos);
  CHECK(refusal("type=inline").find("type=registry") != std::string::npos);
  CHECK(refusal("type=s3,bucket=b").find("type=http") != std::string::npos);
  CHECK(refusal("type=registry,ref=a/b,compression=zstd").find("leave it out") != std::string::npos);
}

TEST_CASE("what buildx says for registries that refuse its indexes is what kiln does everywhere") {
  const CacheReference plain =
      parse_cache_reference("type=registry,ref=ecr.example/cache,mode=max", CacheDirection::to);
  for (const std::string yes : {"true", "1", "t", "True"}) {
    CAPTURE(yes);
    CHECK(parse_cache_reference(
              "type=registry,ref=ecr.example/cache,mode=max,image-manifest=" + yes + ",oci-mediatypes=" + yes,
              CacheDirection::to) == plain);
  }
  for (const std::string key : {"image-manifest", "oci-mediatypes"}) {
    CHECK(
        refusal("type=registry,ref=a/b," + key + "=false").find("entries are OCI image manifests wherever they are") !=
        std::string::npos);
    CHECK(refusal("type=registry,ref=a/b," + key + "=maybe").find(key + " must be true or false, got 'maybe'") !=
          std::string::npos);
  }
  CHECK_FALSE(parse_cache_reference("type=registry,ref=a/b,ignore-error=0", CacheDirection::to).ignore_error);
  CHECK(parse_cache_reference("type=registry,ref=a/b,ignore-error=TRUE", CacheDirection::to).ignore_error);
}

TEST_CASE("mistakes are refused by name") {
  CHECK(refusal("type=regystry,ref=a/b").find("'registry'") != std::string::npos);
  CHECK(refusal("type=registry,rref=a/b").find("'ref'") != std::string::npos);
  CHECK(refusal("type=registry").find("ref=") != std::string::npos);
  CHECK(refusal("type=local").find("dest=FOLDER") != std::string::npos);
  CHECK(refusal("type=http,url=ftp://x/").find("ftp") != std::string::npos);
  CHECK(refusal("ref=a/b").find("type is missing") != std::string::npos);
  CHECK(refusal("type=registry,ref=a/b,mode=some").find("mode") != std::string::npos);
  CHECK(refusal("type=registry,ref=a/b,timeout=0").find("timeout") != std::string::npos);
  CHECK(refusal("type=registry,ref=a/b,ignore-error=maybe").find("true or false") != std::string::npos);
}

TEST_CASE("fields are those of CSV: one in quotes may hold commas") {
  CHECK(parse_cache_reference("type=local,\"src=/srv/a,b\"", CacheDirection::from).place == "/srv/a,b");
  CHECK(parse_cache_reference("\"type=local\",\"src=/srv/\"\"x\"\"\"", CacheDirection::from).place == "/srv/\"x\"");
  CHECK(refusal("type=local,\"src=/srv/a") == "--cache-to: missing closing quote in 'type=local,\"src=/srv/a'");
  CHECK(refusal("type=http,\"url=https://me:secret@host/") ==
        "--cache-to: missing closing quote in 'type=http,\"url=https://xxxxx:xxxxx@host/'");
}

TEST_CASE("the values of options that only other builders have are not repeated") {
  CHECK(refusal("type=s3,region=eu,secret_access_key=hunter2") ==
        "--cache-to 'type=s3,region=***,secret_access_key=***': type=s3 cannot be had: use type=http with a server in "
        "front of the bucket, or type=registry");
  CHECK(refusal("secret_access_key=hunter2,type=azblob").find("hunter2") == std::string::npos);
  CHECK(refusal("type=gha,token=hunter2").find("hunter2") == std::string::npos);
  CHECK(refusal("type=http,url=http://cache/,Token = hunter2").find("unknown option 'token'") != std::string::npos);
  CHECK(refusal("type=http,url=http://cache/,Token = hunter2").find("hunter2") == std::string::npos);
  CHECK(refusal("type=registry,hunter2") ==
        "--cache-to 'type=registry,***': expected KEY=VALUE, got a word without '='");
  CHECK(refusal("type=s3,\"secret_access_key=hunter2") ==
        "--cache-to: a quote is not closed, or stands inside of a field");
  CHECK(refusal("type=s3,token=a\"hunter2") == "--cache-to: a quote is not closed, or stands inside of a field");
}

TEST_CASE("a place of another type, or one that stands twice, is refused") {
  CHECK(refusal("type=local,dest=/c,url=http://x") ==
        "--cache-to 'type=local,dest=/c,url=http://x': 'url' is an option of type=http");
  CHECK(refusal("type=registry,ref=a/b,src=/c") ==
        "--cache-to 'type=registry,ref=a/b,src=/c': 'src' is an option of type=local");
  CHECK(refusal("ref=a/b,type=http,url=http://x") ==
        "--cache-to 'ref=a/b,type=http,url=http://x': 'ref' is an option of type=registry");
  CHECK(refusal("type=local,src=/c,dest=/d") ==
        "--cache-to 'type=local,src=/c,dest=/d': 'src' and 'dest' are one folder here: give one of them");
  CHECK(refusal("type=local,dest=/c,dest=/d") == "--cache-to 'type=local,dest=/c,dest=/d': 'dest' is given twice");
}

TEST_CASE("what says how a cache is written is told where one is only read") {
  const CacheReference from =
      parse_cache_reference("type=registry,ref=a/b,mode=max,ignore-error=true", CacheDirection::from);
  CHECK(from.unused == std::vector<std::string>{"mode", "ignore-error"});
  CHECK(parse_cache_reference("type=registry,ref=a/b,mode=max", CacheDirection::to).unused.empty());
}
