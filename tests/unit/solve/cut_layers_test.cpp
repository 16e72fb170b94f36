// A RUN whose layer is cut along the packages that it installed.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>

#include "builder/layer/file_index.hpp"
#include "builder/packages/layer_cut.hpp"
#include "tests/unit/solve/workshop.hpp"

using namespace kiln;
using test::Steps;
using test::Workshop;

namespace {

constexpr const char* kSite = "usr/lib/python3.11/site-packages/";

// What pip does: a distribution with one file of a size.
void install(const test::RunCall& call, const std::string& name, std::size_t bytes) {
  const std::string info = kSite + name + "-1.dist-info/";
  call.write(kSite + name + ".py", std::string(bytes, 'x'));
  call.write(info + "METADATA", "Name: " + name + "\nVersion: 1\n");
  call.write(info + "RECORD", name + ".py,,\n");
}

constexpr std::size_t kLarge = kOwnLayerBytes + 1;

// A workshop where "pip torch" installs torch and idna, and "pip numpy" installs torch and numpy.
struct Pip {
  Pip() {
    shop.runner.on("pip torch", [](const test::RunCall& call) {
      install(call, "torch", kLarge);
      install(call, "idna", 10);
      return call.write("etc/own", "o"), 0;
    });
    shop.runner.on("pip numpy", [](const test::RunCall& call) {
      install(call, "numpy", kLarge);
      install(call, "torch", kLarge);
      return call.write("etc/other", "o"), 0;
    });
  }
  TargetSpec& by_package(const std::string& name, const std::string& text, int limit = LayerRules::kDefaultLimit) {
    TargetSpec& target = shop.target(name, text);
    target.layers = LayerRules{LayerRules::By::package, limit};
    return target;
  }
  std::vector<std::string> parts(const std::string& target = "") const {
    std::vector<std::string> parts;
    for (const ImageLayer& layer : shop.result(target).layers) {
      if (!layer.key.empty()) parts.push_back(layer.value.part);
    }
    return parts;
  }
  std::vector<std::string> history(const std::string& target = "") const {
    std::vector<std::string> lines;
    for (const oci::HistoryEntry& entry : shop.result(target).config.image.history) {
      if (!entry.empty_layer) lines.push_back(entry.created_by);
    }
    return lines;
  }
  oci::Digest blob_of(const std::string& part, const std::string& target) const {
    for (const ImageLayer& layer : shop.result(target).layers) {
      if (layer.value.part == part) return layer.value.blobs.front().descriptor.digest;
    }
    return {};
  }

  Workshop shop;
};

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("a RUN becomes a layer for each large package, pools and a rest, with a line of history each") {
  Pip pip;
  pip.by_package("", "FROM base\nRUN pip torch\n");
  CHECK(pip.shop.build() == Steps{"built RUN pip torch"});
  CHECK(pip.parts() == Texts{"torch 1", "idna 1", "the rest"});
  const Texts history = pip.history();
  REQUIRE(history.size() == 3);
  CHECK(history[0] == "RUN /bin/sh -c pip torch # buildkit # torch 1");
  CHECK(history[2] == "RUN /bin/sh -c pip torch # buildkit # the rest");
  CHECK(pip.shop.result().layers.back().text == "RUN pip torch # the rest");
  CHECK(pip.shop.file(std::string(kSite) + "idna.py") == "xxxxxxxxxx");
  CHECK(pip.shop.file("etc/own") == "o");
}

TEST_CASE("equal packages of two images are equal layers") {
  Pip pip;
  pip.by_package("one", "FROM base\nRUN pip torch\n");
  pip.by_package("two", "FROM base\nRUN before\nRUN pip numpy\n");
  pip.shop.build();
  CHECK_FALSE(pip.blob_of("torch 1", "one").empty());
  CHECK(pip.blob_of("torch 1", "one") == pip.blob_of("torch 1", "two"));
  CHECK(pip.blob_of("the rest", "one") != pip.blob_of("the rest", "two"));
}

TEST_CASE("a step of several layers is found as such, and what stands on it finds its files") {
  Pip pip;
  pip.shop.runner.on("after", [](const test::RunCall& call) {
    CHECK(call.request.lowers.size() == 4);
    CHECK(call.read(std::string(kSite) + "idna.py") == "xxxxxxxxxx");
    CHECK(call.read("etc/own") == "o");
    CHECK(call.read("base") == "file of the base");
    return call.write("made", "m"), 0;
  });
  pip.by_package("", "FROM base\nRUN pip torch\nRUN after\n");
  CHECK(pip.shop.build() == Steps{"built RUN pip torch", "built RUN after"});
  CHECK(pip.parts() == Texts{"torch 1", "idna 1", "the rest", ""});
  const Texts history = pip.history();
  const std::vector<oci::Digest> layers = diff_ids_of(pip.shop.result().layers);
  CHECK(pip.shop.build() == Steps{"hit RUN pip torch", "hit RUN after"});
  CHECK(pip.history() == history);
  CHECK(diff_ids_of(pip.shop.result().layers) == layers);
}

TEST_CASE("a step of several layers comes whole from a shared cache") {
  Pip pip;
  pip.by_package("", "FROM base\nRUN pip torch\n");
  pip.shop.build();
  const Texts history = pip.history();
  pip.shop.share();
  pip.shop.use_machine("two");
  CHECK(pip.shop.build() == Steps{"hit RUN pip torch"});
  CHECK(pip.parts() == Texts{"torch 1", "idna 1", "the rest"});
  CHECK(pip.history() == history);
  CHECK(pip.shop.file("etc/own") == "o");
}

TEST_CASE("cut layers have one time, and RUN knows it") {
  Pip pip;
  std::string epoch;
  pip.shop.runner.on("env", [&](const test::RunCall& call) {
    for (const std::string& variable : call.request.env) {
      if (variable.starts_with("SOURCE_DATE_EPOCH=")) epoch = variable;
    }
    return call.write("a", ""), 0;
  });
  pip.shop.evaluation.times.epoch = 1700000000;
  pip.by_package("", "FROM base\nRUN env\n");
  pip.shop.build();
  CHECK(epoch == "SOURCE_DATE_EPOCH=1700000000");
  CHECK(pip.parts() == Texts{""});
  IndexCache indexes(pip.shop.store());
  const auto index = indexes.load(*pip.shop.result().layers.back().value.index);
  CHECK(index->find("a")->mtime == 1700000000);

  pip.by_package("", "FROM base\nENV SOURCE_DATE_EPOCH=7\nRUN env\n");
  pip.shop.build();
  CHECK(epoch == "SOURCE_DATE_EPOCH=7");
  pip.shop.evaluation.times.epoch.reset();
  pip.by_package("", "FROM base\nRUN env\n");
  pip.shop.build();
  CHECK(epoch == fmt::format("SOURCE_DATE_EPOCH={}", kReproducibleEpoch));
}

TEST_CASE("how a layer is cut is part of the key of its RUN, and of nothing else") {
  Pip pip;
  pip.shop.context("a", "1");
  pip.shop.dockerfile("FROM base\nCOPY a /\nRUN pip torch\n");
  pip.shop.build();
  CHECK(pip.parts() == Texts{"", ""});
  CHECK(pip.history().back() == "RUN /bin/sh -c pip torch # buildkit");
  pip.shop.dockerfile(pip.shop.dockerfile_text()).layers = LayerRules{LayerRules::By::package};
  CHECK(pip.shop.build() == Steps{"hit COPY a /", "built RUN pip torch"});
  const std::string reason = pip.shop.reason_of("RUN pip torch");
  CHECK(reason.find("layers is new") != std::string::npos);
  pip.shop.dockerfile(pip.shop.dockerfile_text()).layers = LayerRules{LayerRules::By::package, 100};
  CHECK(pip.shop.build() == Steps{"hit COPY a /", "built RUN pip torch"});
  CHECK(pip.shop.reason_of("RUN pip torch") ==
        "layers changed from 'by package, at most 64' to 'by package, at most 100'");
  pip.shop.dockerfile(pip.shop.dockerfile_text()).layers = LayerRules{};
  CHECK(pip.shop.build() == Steps{"hit COPY a /", "hit RUN pip torch"});
}

TEST_CASE("a limit on layers counts those of the base, raises the size and says so") {
  Pip pip;
  pip.by_package("", "FROM base\nRUN pip numpy\n", 4);
  pip.shop.build();
  CHECK(pip.parts() == Texts{"numpy 1", "torch 1", "the rest"});
  CHECK(pip.shop.heard().infos().empty());
  pip.by_package("", "FROM base\nRUN pip numpy\n", 3);
  pip.shop.build();
  CHECK(pip.parts().size() == 2);
  REQUIRE(pip.shop.heard().infos().size() == 1);
  CHECK(pip.shop.heard().infos()[0].find("the image may have 2 more layers") != std::string::npos);
}

TEST_CASE("layers that the store has are not made again, though the step is executed") {
  Pip pip;
  pip.by_package("", "FROM base\nRUN pip torch\n");
  pip.shop.build();
  CHECK(pip.shop.heard().output().empty());
  const auto layers = pip.shop.result().layers;
  pip.shop.evaluation.use_cache = false;
  CHECK(pip.shop.build() == Steps{"built RUN pip torch"});
  CHECK(pip.shop.heard().output() == "3 of 3 layers are in the store already\n");
  for (std::size_t i = 0; i < layers.size(); ++i) CHECK(pip.shop.result().layers[i].value == layers[i].value);

  // Of the same shape and with other bytes it is another layer.
  pip.shop.runner.on("pip torch", [](const test::RunCall& call) {
    install(call, "torch", kLarge);
    install(call, "idna", 10);
    call.write(std::string(kSite) + "idna.py", "yyyyyyyyyy");
    return call.write("etc/own", "o"), 0;
  });
  pip.shop.build();
  CHECK(pip.shop.heard().output() == "2 of 3 layers are in the store already\n");
  CHECK(pip.shop.file(std::string(kSite) + "idna.py") == "yyyyyyyyyy");
}

TEST_CASE(
    "layers that a shared cache has are not made again on a machine that has nothing, though the step is executed") {
  Pip pip;
  pip.by_package("", "FROM base\nRUN pip torch\n");
  pip.shop.build();
  const auto layers = pip.shop.result().layers;
  pip.shop.share();
  // The same packages by another command, so no record of the step is found.
  pip.shop.runner.on("pip both", [](const test::RunCall& call) {
    install(call, "torch", kLarge);
    install(call, "idna", 11);
    return call.write("etc/own", "o"), 0;
  });
  pip.by_package("", "FROM base\nRUN pip both\n");
  pip.shop.use_machine("two");
  pip.shop.needed_here = false;
  CHECK(pip.shop.build() == Steps{"built RUN pip both"});
  CHECK(pip.shop.heard().output() == "2 of 3 layers are in a shared cache already\n");
  REQUIRE(pip.parts() == Texts{"torch 1", "idna 1", "the rest"});
  const auto again = pip.shop.result().layers;
  for (const std::size_t i : {1U, 3U}) {
    CHECK(again[i].value == layers[i].value);
    CHECK_FALSE(pip.shop.store().has(again[i].value.blobs.front().descriptor.digest));
  }
  CHECK(again[2].value.diff_id != layers[2].value.diff_id);
  CHECK(pip.shop.store().has(again[2].value.blobs.front().descriptor.digest));
  CHECK(pip.shop.file("etc/own") == "o");
}

TEST_CASE("a layer that a shared cache speaks of and has not is made") {
  Pip pip;
  pip.by_package("", "FROM base\nRUN pip torch\n");
  pip.shop.build();
  const auto layers = pip.shop.result().layers;
  pip.shop.share(Workshop::Layers::none);
  pip.shop.evaluation.use_cache = false;
  pip.shop.use_machine("two");
  CHECK(pip.shop.build() == Steps{"built RUN pip torch"});
  CHECK(pip.shop.heard().output().empty());
  for (std::size_t i = 0; i < layers.size(); ++i) CHECK(pip.shop.result().layers[i].value == layers[i].value);
}
