#pragma once

#include <doctest/doctest.h>

#include <string>
#include <vector>

// So that a check that fails shows what there was.
template <>
struct doctest::StringMaker<std::vector<std::string>> {
  static doctest::String convert(const std::vector<std::string>& items) {
    std::string text;
    for (const std::string& item : items) text += "\n    " + item;
    return text.c_str();
  }
};
