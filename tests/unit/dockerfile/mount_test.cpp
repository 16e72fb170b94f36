#include "builder/dockerfile/mount.hpp"

#include "tests/unit/dockerfile/support.hpp"

namespace kiln::dockerfile {
namespace {

std::string expanded(std::string_view word) {
  return expand_word(
      word, [](std::string_view name) { return name == "dir" ? std::optional<std::string>("/cache") : std::nullopt; });
}

Mount mount(const std::string& options) { return expand_mount(read_mount(options), expanded); }
std::string refusal(const std::string& options) {
  return usage_error([&] { mount(options); });
}

TEST_CASE("bind mounts are read-only unless they say otherwise") {
  const Mount plain = mount("target=/x,from=build,src=/out");
  CHECK(plain.type == MountType::bind);
  CHECK(plain.read_only);
  CHECK(plain.from == "build");
  CHECK(plain.source == "/out");
  CHECK_FALSE(mount("type=bind,target=/x,rw").read_only);
  CHECK_FALSE(mount("type=bind,target=/x,readonly=false").read_only);
}

TEST_CASE("cache mounts with all their options") {
  const Mount cache = mount("type=cache,id=c,dst=$dir,sharing=locked,from=a,source=/s,mode=0750,uid=1,gid=2,ro");
  CHECK(cache.type == MountType::cache);
  CHECK(cache.target == "/cache");
  CHECK(cache.sharing == CacheSharing::locked);
  CHECK(cache.mode == 0750);
  CHECK(cache.uid == 1);
  CHECK(cache.gid == 2);
  CHECK(cache.read_only);
  CHECK_FALSE(mount("type=cache,target=/c").read_only);
}

TEST_CASE("tmpfs sizes count in powers of 1024") {
  CHECK(mount("type=tmpfs,target=/t,size=64m").size_bytes == 64u << 20);
  CHECK(mount("type=tmpfs,target=/t,size=1.5GiB").size_bytes == 3u << 29);
  CHECK(has(refusal("type=tmpfs,target=/t,size=lots"), "needs a size"));
  CHECK(has(refusal("type=cache,target=/t,size=1"), "no option of the type 'cache'"));
}

TEST_CASE("secrets go to a file, to the environment, or both") {
  const Mount secret = mount("type=secret,id=token,env=TOKEN,required=true,mode=0440");
  CHECK(secret.environment == "TOKEN");
  CHECK(secret.required);
  CHECK(secret.target.empty());
  CHECK(mount("type=ssh,required").required);
  CHECK(has(refusal("type=secret"), "needs an id or a target"));
  CHECK(has(refusal("type=secret,id=a,source=b"), "not both"));
  CHECK(has(refusal("type=secret,id=a,from=b"), "'from' is no option of the type 'secret'"));
  CHECK(has(refusal("type=secret,id=a,sharing=locked"), "'sharing' is no option"));
}

TEST_CASE("a path is only taken where there is something to take it from") {
  CHECK(has(refusal("type=tmpfs,target=/t,source=/s"), "'source' is no option of the type 'tmpfs'"));
  CHECK(has(refusal("type=ssh,source=/s"), "'source' is no option of the type 'ssh'"));
  CHECK(has(refusal("type=cache,target=/c,source=/s"), "give a stage or an image by from=NAME"));
  CHECK(mount("type=cache,target=/c,source=/").source == "/");
}

TEST_CASE("a tmpfs is written to unless it is read-only") {
  CHECK_FALSE(mount("type=tmpfs,target=/t").read_only);
  CHECK(mount("type=tmpfs,target=/t,ro").read_only);
}

TEST_CASE("options that change nothing of their type are told") {
  using Clauses = std::vector<std::string>;
  const auto unused = [](const char* options) { return unused_options(read_mount(options)); };
  CHECK(unused("type=bind,target=/t,id=a") == Clauses{"'id' changes nothing of the type 'bind'"});
  CHECK(unused("type=tmpfs,target=/t,from=a,id=b,ro,size=1m") ==
        Clauses{"'from' changes nothing of the type 'tmpfs'", "'id' changes nothing of the type 'tmpfs'"});
  CHECK(unused("type=secret,id=a,rw") == Clauses{"'readwrite' changes nothing of the type 'secret'"});
  CHECK(unused("type=ssh,from=a") == Clauses{"'from' changes nothing of the type 'ssh'"});
  CHECK(unused("type=secret,id=a,env=A,mode=0400") == Clauses{"'mode' changes nothing of the type 'secret'"});
  CHECK(unused("type=secret,id=a,env=A,mode=0400,target=/a").empty());
  CHECK(unused("type=bind,target=/t,dst=/u,ro,rw") ==
        Clauses{"of several 'target' the last counts", "of several 'readonly' the last counts"});
  CHECK(unused("type=cache,target=/t,id=a,sharing=locked,mode=0700,uid=1,gid=1,from=a,source=/s,ro").empty());
  CHECK(unused("type=$dir,target=/t,id=a").empty());
}

TEST_CASE("misspelt types, options and values are answered with the nearest real ones") {
  CHECK(has(refusal("type=cahce,target=/c"), "did you mean 'cache'?"));
  CHECK(has(refusal("typ=cache,target=/c"), "did you mean 'type'?"));
  CHECK(has(refusal("type=cache,target=/c,sharing=lock"), "did you mean 'locked'?"));
  CHECK(has(refusal("type=cache,target"), "'target' needs a value"));
  CHECK(has(refusal("type=cache,target=/c,mode=9"), "octal"));
  CHECK(has(refusal("type=bind,target=/c,uid=0"), "'uid and gid' is no option of the type 'bind'"));
}

TEST_CASE("values with commas are quoted as in CSV") {
  CHECK(mount("type=bind,\"target=/a,\"\"b\"\"\"").target == "/a,b");
  CHECK(has(refusal("\"target=/a"), "missing closing quote"));
  CHECK(has(refusal("tar\"get=/a"), "a quote inside"));
}

TEST_CASE("a mount is whole when it is read, unless a variable stands in it") {
  const WrittenMount plain = read_mount("type=cache,dst=/c");
  REQUIRE(plain.plain);
  CHECK(plain.plain->target == "/c");
  const WrittenMount open = read_mount("type=cache,dst=$dir,src=/s,from=build");
  CHECK_FALSE(open.plain);
  CHECK(open.from() == "build");
  CHECK(open.written("target") == "$dir");
  CHECK(expand_mount(open, expanded).target == "/cache");
  CHECK(has(usage_error([] { read_mount("target=/c,from=$stage"); }), "'from' cannot hold a variable"));
  CHECK(has(usage_error([&] { expand_mount(read_mount("type=$dir,target=/c"), expanded); }),
            "unsupported type '/cache'"));
}

}  // namespace
}  // namespace kiln::dockerfile
