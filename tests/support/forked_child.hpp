#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>

namespace kiln {

// A second process of a test: a fork that runs a function and exits with what it returns (70 where it throws). Parent
// and child talk in lines. The child dies with the test, and is killed and reaped at the end.
class ForkedChild {
 public:
  // The child's side of the conversation.
  class Link {
   public:
    Link(int from_parent, int to_parent) : from_parent_(from_parent), to_parent_(to_parent) {}
    void say(std::string_view line);
    // The parent's next line; "" when it has nothing more to say.
    std::string hear();

   private:
    int from_parent_;
    int to_parent_;
  };

  explicit ForkedChild(const std::function<int(Link&)>& body);
  ForkedChild(const ForkedChild&) = delete;
  ForkedChild& operator=(const ForkedChild&) = delete;
  ~ForkedChild();

  void say(std::string_view line);
  // The child's next line; "" when it has ended.
  std::string hear();
  void kill();
  // The exit code, 128 + signal where it was killed.
  int wait();

 private:
  pid_t pid_ = -1;
  int from_child_ = -1;
  int to_child_ = -1;
};

}  // namespace kiln
