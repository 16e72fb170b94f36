#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kiln::fuzz {

// What a target defines. fuzz_one() may refuse its input in the ways the code under test promises; anything
// else (another exception, a broken invariant by way of require()) is a finding.
void fuzz_one(std::string_view input);
std::vector<std::string> seeds();
// Pieces of the language that mutations put in.
std::vector<std::string> words();

// Aborts with the message, so that a sanitizer or libFuzzer sees it too.
void require(bool condition, const char* message);

}  // namespace kiln::fuzz
