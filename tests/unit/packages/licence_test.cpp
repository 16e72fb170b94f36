#include "builder/packages/licence.hpp"

#include <doctest/doctest.h>

using namespace kiln;

TEST_CASE("what is SPDX stays, in SPDX's spelling") {
  CHECK(licence_terms("MIT").expression == "MIT");
  CHECK(licence_terms("mit").expression == "MIT");
  CHECK(licence_terms("MIT").is_identifier());
  CHECK(licence_terms("MIT or Apache-2.0").expression == "MIT OR Apache-2.0");
  CHECK(licence_terms("(MIT OR Apache-2.0)").expression == "MIT OR Apache-2.0");
  CHECK(licence_terms("GPL-2.0-or-later WITH GCC-exception-3.1").expression ==
        "GPL-2.0-or-later WITH GCC-exception-3.1");
  CHECK(licence_terms("(A or MIT) AND ISC").expression == "(LicenseRef-A OR MIT) AND ISC");
  CHECK_FALSE(licence_terms("MIT AND ISC").is_identifier());
  CHECK(licence_terms("MIT AND ISC").is_known());
}

TEST_CASE("common names mean what they mean, several of one meaning are one") {
  CHECK(licence_terms("Expat AND GPL-2+ AND MIT").expression == "MIT AND GPL-2.0-or-later");
  CHECK(licence_terms("MIT License").expression == "MIT");
  CHECK(licence_terms("Apache License, Version 2.0").expression == "Apache-2.0");
}

TEST_CASE("what is not known is a reference to the words, and never the same for other words") {
  const LicenceTerms one = licence_terms("public-domain");
  CHECK(one.expression == "LicenseRef-public-domain");
  CHECK(one.references.at("LicenseRef-public-domain") == "public-domain");
  CHECK_FALSE(one.is_known());
  const LicenceTerms two = licence_terms("GPL with my exception");
  REQUIRE(two.references.size() == 1);
  CHECK(two.references.begin()->second == "GPL with my exception");
  CHECK(two.expression == two.references.begin()->first);
  CHECK(two.expression.find(' ') == std::string::npos);
  CHECK(licence_terms("a_b").expression != licence_terms("a/b").expression);
  CHECK(licence_terms("").expression.empty());
}

TEST_CASE("brackets and words in disorder do no harm") {
  for (const char* text : {"(", ")", "((MIT)", "MIT OR", "OR", "AND", " and ", "MIT WITH", "() AND ()", "\xff\xfe"}) {
    const LicenceTerms terms = licence_terms(text);
    CHECK(terms.expression.find_first_of("\xff\n") == std::string::npos);
  }
}
