#include "builder/definitions/cuda_arch.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "tests/support/check_error.hpp"

using kiln::check_cuda_arch;

TEST_CASE("code runs on the same major version with a minor version that is not lower") {
  CHECK_FALSE(check_cuda_arch("8.9", {"8.6"}));
  CHECK_FALSE(check_cuda_arch("8.6", {"8.6"}));
  CHECK(check_cuda_arch("8.6", {"8.9"}));
  CHECK(check_cuda_arch("9.0", {"8.6", "8.9"}));
  CHECK(check_cuda_arch("8.0", {"9.0", "7.5"}));
}

TEST_CASE("an entry with PTX serves every later GPU and no earlier one") {
  CHECK_FALSE(check_cuda_arch("9.0", {"8.6+PTX"}));
  CHECK_FALSE(check_cuda_arch("12.0", {"8.6+PTX"}));
  CHECK(check_cuda_arch("8.0", {"8.6+PTX"}));
  CHECK(check_cuda_arch("7.5", {"8.6+PTX"}));
}

TEST_CASE("an entry with a letter serves that GPU alone") {
  CHECK_FALSE(check_cuda_arch("9.0", {"9.0a"}));
  CHECK(check_cuda_arch("9.2", {"9.0a"}));
}

TEST_CASE("the reason names the GPU and the list") {
  CHECK(check_cuda_arch("8.6", {"8.9", "9.0"})
            ->find("CUDA_ARCH '8.6' is served by no entry of the arch list '8.9;9.0'") == 0);
  CHECK(check_cuda_arch("8.6", {}));
}

TEST_CASE("what is no compute capability is refused wherever it stands") {
  CHECK_ERROR(check_cuda_arch("sm_86", {"8.6"}), kiln::Category::usage,
              "'sm_86' is no compute capability; expected one such as '8.6' or '9.0+PTX'");
  CHECK_ERROR(check_cuda_arch("8.6", {"8.6", "86"}), kiln::Category::usage,
              doctest::Contains("'86' is no compute capability"));
  CHECK_ERROR(check_cuda_arch("8.16", {"8.6"}), kiln::Category::usage,
              doctest::Contains("'8.16' is no compute capability"));
}
