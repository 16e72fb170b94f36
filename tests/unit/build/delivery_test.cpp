#include "builder/build/delivery.hpp"

#include <doctest/doctest.h>

#include <set>

#include "tests/support/print_texts.hpp"

using namespace kiln;
using Texts = std::vector<std::string>;

namespace {

// Writes down what it is asked for; some of it fails.
class FakePlaces : public DeliveryPlaces {
 public:
  Texts calls;
  std::set<std::string> lost, unwritable, unreachable;  // targets
  bool is_made_again = true;                            // false: executing a lost step fails
  Category failure = Category::network;

  Blocked verify_layers(const Delivery& delivery) override {
    calls.push_back("verify " + delivery.target);
    return lost_of(delivery);
  }
  void export_images(const Delivery& delivery) override {
    calls.push_back("export " + delivery.target + " to " + delivery.output.destination);
    if (unwritable.count(delivery.target)) throw Error(Category::machine, "unwritable: " + delivery.target);
  }
  std::vector<PushEnd> push(const std::vector<const Delivery*>& deliveries) override {
    std::vector<PushEnd> ends;
    for (const Delivery* delivery : deliveries) {
      calls.push_back("push " + delivery->target);
      PushEnd& end = ends.emplace_back();
      if (unreachable.count(delivery->target)) {
        end.error = Error(failure, "unreachable: " + delivery->target);
      } else {
        end.lost = lost_of(*delivery);
      }
    }
    return ends;
  }
  void name_in_store(const std::vector<const Delivery*>& deliveries) override {
    std::string call = "name";
    for (const Delivery* delivery : deliveries) call += " " + delivery->target;
    calls.push_back(call);
  }
  void make_again(const std::set<std::string>& targets, const Blocked& steps) {
    std::string call = "make";
    for (const std::string& target : targets) call += " " + target;
    for (const auto& [key, text] : steps.lost) call += " by " + text;
    calls.push_back(call);
    if (!is_made_again) throw Error(Category::build, "the step fails");
    for (const std::string& target : targets) lost.erase(target);
  }

 private:
  Blocked lost_of(const Delivery& delivery) const {
    if (!lost.count(delivery.target)) return {};
    return {{{"key of " + delivery.target, "RUN " + delivery.target}}};
  }
};

Delivery delivery(const std::string& target, const std::string& output, std::size_t platforms = 1) {
  Delivery result;
  result.target = target;
  result.output = parse_output(output);
  result.names = names_at(result.output, {"r.io/" + target + ":1"});
  result.images.resize(platforms);
  return result;
}

struct Failure {
  Category category;
  std::string message;
  bool operator==(const Failure&) const = default;
};

std::optional<Failure> deliver_to(FakePlaces& places, std::vector<Delivery> deliveries) {
  try {
    deliver(deliveries, places,
            [&](const std::set<std::string>& targets, const Blocked& lost) { places.make_again(targets, lost); });
  } catch (const Error& error) {
    return Failure{error.category(), error.message()};
  }
  return std::nullopt;
}

TargetSpec target(const std::string& name, const Texts& outputs = {}, const Texts& names = {}) {
  TargetSpec result;
  result.name = name;
  result.outputs = outputs;
  result.names = names;
  return result;
}

// The outputs of a target, each in a few words.
Texts words_of(const TargetSpec& spec, const DeliveryWishes& wishes = {}, std::size_t platforms = 1) {
  Texts words;
  for (const Output& output : outputs_of(spec, wishes, platforms)) {
    std::string word = output.type == OutputType::image    ? "image"
                       : output.type == OutputType::docker ? "docker"
                                                           : "other";
    if (output.push) word += " push";
    if (output.load) word += " load";
    for (const Annotation& annotation : output.annotations) word += " " + annotation.key;
    words.push_back(word);
  }
  return words;
}

std::string refusal(const TargetSpec& spec, const DeliveryWishes& wishes = {}, std::size_t platforms = 1) {
  try {
    outputs_of(spec, wishes, platforms);
  } catch (const Error& error) {
    CHECK(error.category() == Category::usage);
    return error.message();
  }
  return "";
}

DeliveryWishes pushed() {
  DeliveryWishes wishes;
  wishes.push = true;
  return wishes;
}

}  // namespace

TEST_CASE("layers are verified first, then files are written, then all is pushed, then named at once") {
  FakePlaces places;
  CHECK_FALSE(deliver_to(
      places, {delivery("a", "type=image"), delivery("a", "type=oci,dest=a.tar"), delivery("b", "type=image,push=true"),
               delivery("b", "type=local,dest=b"), delivery("c", "type=registry")}));
  CHECK(places.calls == Texts{"verify a", "verify a", "verify b", "export a to a.tar", "export b to b", "push b",
                              "push c", "name a b c"});
}

TEST_CASE("what is only pushed needs no layers on this machine, and what is only cached nothing") {
  FakePlaces places;
  CHECK_FALSE(deliver_to(places, {delivery("a", "type=image,push=true,store=false"), delivery("b", "type=cacheonly")}));
  CHECK(places.calls == Texts{"push a"});
}

TEST_CASE("images for several platforms go as one") {
  FakePlaces places;
  CHECK_FALSE(deliver_to(places, {delivery("a", "type=image,push=true", 3)}));
  CHECK(places.calls == Texts{"push a", "name a"});
}

TEST_CASE("a failed push leaves no name in the store for its image, and those of the others") {
  FakePlaces places;
  places.unreachable = {"b"};
  const auto failure = deliver_to(places, {delivery("a", "type=image,push=true"), delivery("b", "type=image"),
                                           delivery("b", "type=registry"), delivery("c", "type=image")});
  CHECK(failure == Failure{Category::network, "unreachable: b"});
  CHECK(places.calls == Texts{"verify b", "verify c", "push a", "push b", "name a c"});
}

TEST_CASE("where every push fails nothing is named, and the first error is told") {
  FakePlaces places;
  places.unreachable = {"a", "b"};
  const auto failure = deliver_to(places, {delivery("a", "type=registry"), delivery("b", "type=registry")});
  CHECK(failure == Failure{Category::network, "unreachable: a"});
  CHECK(places.calls == Texts{"push a", "push b"});
}

TEST_CASE("a failed export keeps everything from being pushed and named") {
  FakePlaces places;
  places.unwritable = {"b"};
  CHECK(deliver_to(places, {delivery("a", "type=image,push=true"), delivery("b", "type=oci,dest=x")}) ==
        Failure{Category::machine, "unwritable: b"});
  CHECK(places.calls == Texts{"verify b", "export b to x"});
}

TEST_CASE("a target whose layers are lost is made again and verified before anything is exported") {
  FakePlaces places;
  places.lost = {"b"};
  CHECK_FALSE(deliver_to(
      places, {delivery("a", "type=image,push=true"), delivery("b", "type=oci,dest=x"), delivery("c", "type=image")}));
  CHECK(places.calls ==
        Texts{"verify b", "verify c", "make b by RUN b", "verify b", "export b to x", "push a", "name a c"});
}

TEST_CASE("where a lost step fails before anything was pushed, nothing is pushed and named") {
  FakePlaces places;
  places.lost = {"b"};
  places.is_made_again = false;
  CHECK(deliver_to(places, {delivery("a", "type=image,push=true"), delivery("b", "type=oci,dest=x")}) ==
        Failure{Category::build, "the step fails"});
  CHECK(places.calls == Texts{"verify b", "make b by RUN b"});
}

TEST_CASE("a target that a push finds to be lost is made again and pushed again, and the others are not") {
  FakePlaces places;
  places.lost = {"b", "c"};
  CHECK_FALSE(deliver_to(
      places, {delivery("a", "type=registry"), delivery("b", "type=registry"), delivery("c", "type=registry")}));
  CHECK(places.calls ==
        Texts{"push a", "push b", "push c", "make b c by RUN b by RUN c", "push b", "push c", "name a b c"});
}

TEST_CASE("where a lost step fails after others were pushed, those are named and the failure is told") {
  FakePlaces places;
  places.lost = {"b"};
  places.is_made_again = false;
  CHECK(deliver_to(places, {delivery("a", "type=registry"), delivery("b", "type=registry")}) ==
        Failure{Category::build, "the step fails"});
  CHECK(places.calls == Texts{"push a", "push b", "make b by RUN b", "name a"});
}

TEST_CASE("a build that is cancelled while it pushes names what was pushed before, and says so") {
  FakePlaces places;
  places.unreachable = {"b"};
  places.failure = Category::cancelled;
  const auto failure = deliver_to(places, {delivery("a", "type=registry"), delivery("b", "type=registry")});
  CHECK(failure == Failure{Category::cancelled, "unreachable: b"});
  CHECK(places.calls == Texts{"push a", "push b", "name a"});
}

TEST_CASE("an image pushed by its digest has no name in the store") {
  FakePlaces places;
  CHECK_FALSE(deliver_to(places, {delivery("a", "type=image,name=r.io/a,push=true,push-by-digest=true")}));
  CHECK(places.calls == Texts{"push a"});
}

TEST_CASE("a fleet's images are named in the store whatever their outputs, a single one unless it has outputs") {
  CHECK(words_of(target("")) == Texts{"image"});
  CHECK(words_of(target("", {"type=oci,dest=x"})) == Texts{"other"});
  CHECK(words_of(target("t")) == Texts{"image"});
  CHECK(words_of(target("t", {"type=oci,dest=x"})) == Texts{"other", "image"});
  CHECK(words_of(target("t", {"type=image,compression=zstd"})) == Texts{"image"});
}

TEST_CASE("--push pushes the image outputs there are, or one of its own; --load loads one more") {
  CHECK(words_of(target("", {"type=oci,dest=x"}, {"r.io/a:1"}), pushed()) == Texts{"other", "image push"});
  CHECK(words_of(target("t", {"type=image"}, {"r.io/a:1"}), pushed()) == Texts{"image push"});
  DeliveryWishes wishes;
  wishes.load = true;
  CHECK(words_of(target("t"), wishes) == Texts{"docker load", "image"});
}

TEST_CASE("a target's annotations are those of each of its outputs") {
  TargetSpec spec = target("t", {"type=oci,dest=x,annotation.b=1"});
  spec.annotations = {"a=1"};
  CHECK(words_of(spec) == Texts{"other b a", "image a"});
}

TEST_CASE("outputs that cannot be written are refused before anything is built") {
  CHECK(refusal(target(""), pushed()) == "--push needs a name; give one with -t");
  CHECK(refusal(target("t"), pushed()) == "target 't' has no tags to be pushed under, and a push needs a name");
  CHECK(refusal(target("t", {"type=docker,dest=x"}), {}, 2) ==
        "type=docker holds one platform; build one at a time, or use type=oci");
  CHECK(refusal(target("t", {"type=imag"})) == "target 't': --output: unknown type 'imag'; did you mean 'image'?");
  TargetSpec annotated = target("t");
  annotated.annotations = {"index:a=1"};
  CHECK(refusal(annotated) ==
        "--annotation: one platform has no index; annotate the manifest, or build for several platforms");
  CHECK(refusal(annotated, {}, 2).empty());
  DeliveryWishes wishes;
  wishes.to_standard_output = false;
  CHECK(refusal(target("t", {"type=tar,dest=-"}), wishes) ==
        "target 't': a bake's report goes to standard output; name a file with dest=FILE");
  CHECK(refusal(target("", {"type=image,name=r.io/a:1,push=true,push-by-digest=true"})) ==
        "push-by-digest pushes under no tag, but 'r.io/a:1' has one; leave it out");
}

TEST_CASE("names, labels and annotations that no output takes along are told") {
  const std::vector<oci::Platform> amd64 = {oci::Platform::parse("linux/amd64")};
  TargetSpec spec = target("", {"type=local,dest=out"}, {"docker.io/library/a:1"});
  spec.labels = {{"version", "1"}, {"revision", "2"}};
  spec.annotations = {"a=b"};
  const auto unused = [&] { return unused_words(spec, outputs_of(spec, {}, 1), amd64); };
  CHECK(unused() == Texts{"no output is an image, so nothing has the names 'docker.io/library/a:1'",
                          "no output is an image, so nothing has the labels 'revision', 'version'",
                          "no output is an image, so nothing has the annotations 'a'"});
  spec.outputs = {"type=local,dest=out", "type=oci,dest=x"};
  CHECK(unused().empty());
  spec.annotations = {"manifest[linux/arm64]:a=b", "manifest[linux/amd64]:c=d"};
  CHECK(unused() == Texts{"linux/arm64 is not built, so nothing has the annotations 'a'"});
}
