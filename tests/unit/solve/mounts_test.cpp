// What mounts show to a command, and what of them is in the key of its RUN.
#include <doctest/doctest.h>
#include <sys/xattr.h>

#include <algorithm>

#include "base/error.hpp"
#include "tests/unit/solve/workshop.hpp"

using namespace kiln;
using test::RunCall;
using test::Steps;
using test::Workshop;

namespace {

// "make" writes what it finds at /in/x.
void reads_mount(Workshop& shop) {
  shop.runner.on("make", [](const RunCall& call) {
    return call.write("out", call.read_mount("/in", "x").value_or("nothing")), 0;
  });
}

}  // namespace

TEST_CASE("a bind mount shows the context as its ignore file leaves it, and is in the key by its files") {
  Workshop shop;
  reads_mount(shop);
  shop.context("x", "1");
  shop.context("ignored", "1");
  shop.dockerfile("FROM base\nRUN --mount=target=/in make\n").ignore_text = "ignored\n";
  shop.build();
  CHECK(shop.file("out") == "1");
  shop.context("ignored", "2");
  CHECK(shop.build() == Steps{"hit RUN --mount=target=/in make"});
  shop.context("x", "2");
  CHECK(shop.build() == Steps{"built RUN --mount=target=/in make"});
  CHECK(shop.file("out") == "2");
  CHECK(shop.reason_of("RUN --mount=target=/in make") == "file x changed");
}

TEST_CASE("a bind mount of a folder is in the key by that folder alone, wherever it lies") {
  Workshop shop;
  reads_mount(shop);
  shop.context("one/x", "1");
  shop.context("other", "1");
  shop.dockerfile("FROM base\nRUN --mount=target=/in,source=one make\n");
  shop.build();
  shop.context("other", "2");
  CHECK(shop.build() == Steps{"hit RUN --mount=target=/in,source=one make"});
  shop.context("two/x", "1");
  shop.dockerfile("FROM base\nRUN --mount=target=/in,source=two make\n");
  CHECK(shop.build() == Steps{"hit RUN --mount=target=/in,source=two make"});
}

TEST_CASE("the target, the way and the kind of a mount are in the key") {
  Workshop shop;
  shop.context("x", "1");
  shop.dockerfile("FROM base\nRUN --mount=target=/in make\n");
  shop.build();
  for (const std::string mount :
       {"--mount=target=/at", "--mount=target=/in,rw", "--mount=type=tmpfs,target=/in", "--mount=type=cache,target=/in",
        "--mount=type=tmpfs,target=/in,size=1m", "--mount=type=cache,target=/in,id=other"}) {
    shop.dockerfile("FROM base\nRUN " + mount + " make\n");
    CHECK(shop.build() == Steps{"built RUN " + mount + " make"});
  }
}

TEST_CASE("a mount of a stage shows its files, and is in the key by them and not by the stage's steps") {
  Workshop shop;
  reads_mount(shop);
  const auto made = [](const std::string& text) {
    return [=](const RunCall& call) { return call.write("x", text), 0; };
  };
  shop.runner.on("tools one", made("same"));
  shop.runner.on("tools two", made("same"));
  shop.runner.on("tools three", made("other"));
  const auto dockerfile = [&](const std::string& tools) {
    shop.dockerfile("FROM scratch AS tools\nRUN " + tools + "\nFROM base\nRUN --mount=from=tools,target=/in make\n");
  };
  dockerfile("tools one");
  shop.build();
  CHECK(shop.file("out") == "same");
  dockerfile("tools two");
  CHECK(shop.build() == Steps{"hit RUN --mount=from=tools,target=/in make", "built RUN tools two"});
  dockerfile("tools three");
  CHECK(shop.build() == Steps{"built RUN --mount=from=tools,target=/in make", "built RUN tools three"});
  CHECK(shop.file("out") == "other");
}

TEST_CASE("an extended attribute that changes in a stage which a RUN binds is no hit") {
  Workshop shop;
  const auto tools = [](const std::string& value) {
    return [=](const RunCall& call) {
      call.write("ping", "a program");
      const fs::path path = call.request.upper.fs / "ping";
      REQUIRE(::setxattr(path.c_str(), "user.capability", value.data(), value.size(), 0) == 0);
      return 0;
    };
  };
  shop.runner.on("tools", tools("cap_net_raw"));
  shop.dockerfile("FROM base AS tools\nRUN tools\nFROM base\nRUN --mount=from=tools,target=/in make\n")
      .no_cache_stages = {"tools"};
  shop.build();
  CHECK(shop.build() == Steps{"hit RUN --mount=from=tools,target=/in make", "built RUN tools"});
  shop.runner.on("tools", tools("cap_net_admin"));
  CHECK(shop.build() == Steps{"built RUN --mount=from=tools,target=/in make", "built RUN tools"});
}

TEST_CASE("a variable in a mount has the value that it has there") {
  Workshop shop;
  reads_mount(shop);
  shop.context("one/x", "1");
  shop.context("two/x", "2");
  const std::string run = "RUN --mount=target=/in,source=$FROM_FOLDER make";
  shop.dockerfile("FROM base\nENV FROM_FOLDER=one\n" + run + "\n");
  shop.build();
  CHECK(shop.file("out") == "1");
  shop.dockerfile("FROM base\nENV FROM_FOLDER=two\n" + run + "\n");
  CHECK(shop.build() == Steps{"built " + run});
  CHECK(shop.file("out") == "2");
}

TEST_CASE("a mount of what is not there fails with its line") {
  Workshop shop;
  shop.dockerfile("FROM base\nRUN --mount=target=/in,source=missing make\n");
  const Error error = shop.fail();
  CHECK(error.category() == Category::build);
  CHECK(error.message() == "Dockerfile:2: '/missing' is not in the build context");
  CHECK(shop.ran().empty());
}

TEST_CASE("a secret is a file or a variable of the command, and in the key by its name and not by its value") {
  Workshop shop;
  const auto secrets = [&](const std::string& value) {
    shop.context("secret", value);
    return std::vector<SecretSource>{{"token", shop.context_folder() / "secret", std::nullopt}};
  };
  std::vector<std::string> env;
  shop.runner.on("make", [&](const RunCall& call) {
    env = call.request.env;
    return call.write("out", ""), 0;
  });
  const std::string run = "RUN --mount=type=secret,id=token,env=TOKEN make";
  shop.dockerfile("FROM base\n" + run + "\n").secrets = secrets("first");
  shop.build();
  CHECK(std::find(env.begin(), env.end(), "TOKEN=first") != env.end());
  shop.dockerfile("FROM base\n" + run + "\n").secrets = secrets("second");
  CHECK(shop.build() == Steps{"hit " + run});
  shop.dockerfile("FROM base\nRUN --mount=type=secret,id=token,env=OTHER make\n");
  CHECK(shop.build() == Steps{"built RUN --mount=type=secret,id=token,env=OTHER make"});
}

TEST_CASE("a secret that is required and was not given fails the RUN, another one is left out") {
  Workshop shop;
  shop.dockerfile("FROM base\nRUN --mount=type=secret,id=token make\n");
  CHECK(shop.build() == Steps{"built RUN --mount=type=secret,id=token make"});
  // A hit needs none.
  shop.dockerfile("FROM base\nRUN --mount=type=secret,id=token,required make\n");
  CHECK(shop.build() == Steps{"hit RUN --mount=type=secret,id=token,required make"});
  shop.dockerfile("FROM base\nRUN --mount=type=secret,id=token,required other\n");
  const Error error = shop.fail();
  CHECK(error.category() == Category::build);
  CHECK(error.message() ==
        "Dockerfile:2: secret 'token' is required and was not given; pass --secret id=token,src=FILE");
}

TEST_CASE("a cache mount keeps what a command writes, and begins as a copy where it says so") {
  Workshop shop;
  shop.context("in", "begin");
  const auto cache_of = [](const RunCall& call) {
    for (const RunMount& mount : call.request.mounts) {
      if (const auto* cache = std::get_if<CacheSource>(&mount.source)) return cache->folder;
    }
    return fs::path();
  };
  shop.runner.on("one", [&](const RunCall& call) {
    const fs::path cache = cache_of(call);
    call.write("found", read_file_if_exists(cache / "in").value_or("nothing"));
    fs::copy_file(cache / "in", cache / "kept");
    return 0;
  });
  shop.runner.on("two", [&](const RunCall& call) {
    return call.write("kept", read_file_if_exists(cache_of(call) / "kept").value_or("nothing")), 0;
  });
  const std::string mount = "--mount=type=cache,target=/c,from=start";
  shop.dockerfile("FROM scratch AS start\nCOPY in /\nFROM base\nRUN " + mount + " one\nRUN " + mount + " two\n");
  shop.build();
  CHECK(shop.file("found") == "begin");
  CHECK(shop.file("kept") == "begin");
}

TEST_CASE("the number of a stage is no name for a mount") {
  Workshop shop;
  shop.dockerfile("FROM base\nRUN one\nFROM base\nRUN --mount=from=0,target=/in make\n");
  const Error error = shop.fail();
  CHECK(error.category() == Category::usage);
  CHECK(error.message().find("from=0 is no stage") != std::string::npos);
}
