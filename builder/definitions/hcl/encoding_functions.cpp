#include <crypt.h>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "base/base64.hpp"
#include "base/csv.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"
#include "builder/definitions/hcl/convert.hpp"
#include "builder/definitions/hcl/functions.hpp"
#include "builder/definitions/hcl/json_reader.hpp"

namespace kiln::hcl {

namespace {

using Values = std::vector<Value>;

std::string digest(const char* algorithm, std::string_view data) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  std::size_t length = 0;
  if (EVP_Q_digest(nullptr, algorithm, nullptr, data.data(), data.size(), bytes.data(), &length) != 1) {
    throw ValueError(fmt::format("this machine's OpenSSL has no {}", algorithm));
  }
  return std::string(reinterpret_cast<const char*>(bytes.data()), length);
}

// As Go's encoding/base64: line ends count for nothing, padding has to be there.
std::string from_base64(std::string_view given) {
  std::string text(given);
  std::erase_if(text, [](char c) { return c == '\n' || c == '\r'; });
  auto bytes = text.size() % 4 == 0 && !text.ends_with("===") ? base64_decoded(text) : std::nullopt;
  if (!bytes) throw ValueError("the text is no base64");
  return *std::move(bytes);
}

Value base64decode(const Values& arguments) {
  std::string text = from_base64(arguments[0].text());
  if (!is_utf8(text)) throw ValueError("what is decoded is no UTF-8");
  return Value::of(std::move(text));
}

std::string url_encoded(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const bool is_plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
                          c == '_' || c == '.' || c == '~';
    if (is_plain) {
      result += c;
    } else if (c == ' ') {
      result += '+';
    } else {
      result += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return result;
}

std::string uuid_text(std::string bytes, int version) {
  bytes[6] = static_cast<char>((bytes[6] & 0x0F) | (version << 4));
  bytes[8] = static_cast<char>((bytes[8] & 0x3F) | 0x80);
  std::string digits = hex(std::string_view(bytes).substr(0, 16));
  for (const std::size_t at : {20, 16, 12, 8}) digits.insert(at, 1, '-');
  return digits;
}

std::string random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(count)) != 1) {
    throw ValueError("the machine has no random bytes");
  }
  return bytes;
}

Value uuidv5(const Values& arguments) {
  std::string digits;
  const std::string& name_space = arguments[0].text();
  static constexpr std::array<std::pair<std::string_view, char>, 4> kKnown = {
      {{"dns", '0'}, {"url", '1'}, {"oid", '2'}, {"x500", '4'}}};
  for (const auto& [known, digit] : kKnown) {
    if (name_space == known) digits = fmt::format("6ba7b81{}9dad11d180b400c04fd430c8", digit);
  }
  if (digits.empty()) {
    for (const char c : name_space) {
      if (c != '-') digits += c;
    }
  }
  std::string bytes;
  for (std::size_t at = 0; at + 1 < digits.size(); at += 2) {
    const auto byte = parse_unsigned(std::string_view(digits).substr(at, 2), 16);
    if (byte) bytes += static_cast<char>(*byte);
  }
  if (digits.size() != 32 || bytes.size() != 16) {
    throw ValueError(fmt::format("'{}' is no namespace; known: dns, url, oid, x500, or a UUID", printable(name_space)));
  }
  return Value::of(uuid_text(digest("SHA1", bytes + arguments[1].text()), 5));
}

Value bcrypt(const Values& arguments) {
  if (arguments.size() > 2) throw ValueError("a text and a cost are taken, no more");
  const auto cost = arguments.size() == 2 ? whole_number(arguments[1], "the cost", 4, 14) : 10;
  if (arguments[0].text().size() > 72) throw ValueError("the text is longer than 72 bytes");
  const std::string salt = random_bytes(16);
  std::array<char, CRYPT_GENSALT_OUTPUT_SIZE> setting{};
  crypt_data data{};
  const char* hash = nullptr;
  if (crypt_gensalt_rn("$2a$", static_cast<unsigned long>(cost), salt.data(), static_cast<int>(salt.size()),
                       setting.data(), static_cast<int>(setting.size())) != nullptr) {
    hash = crypt_r(arguments[0].text().c_str(), setting.data(), &data);
  }
  if (hash == nullptr || hash[0] == '*') throw ValueError("this machine's libcrypt has no bcrypt");
  return Value::of(hash);
}

std::size_t cost_of_bcrypt(const Values& arguments) {
  const auto cost = arguments.size() == 2 ? arguments[1].number().to_int64().value_or(0) : 10;
  return std::size_t{150} << std::clamp<std::int64_t>(cost, 4, 14);
}

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};

Value rsadecrypt(const Values& arguments) {
  const std::string cipher = from_base64(arguments[0].text());
  const std::string& pem = arguments[1].text();
  const std::unique_ptr<BIO, Freed<BIO_free_all>> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  // A key with a password is refused rather than asked for at the terminal.
  const auto no_password = [](char*, int, int, void*) { return -1; };
  const std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>> key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
  if (!key) throw ValueError("the key is no RSA key in PEM without a password");
  const std::unique_ptr<EVP_PKEY_CTX, Freed<EVP_PKEY_CTX_free>> context(EVP_PKEY_CTX_new(key.get(), nullptr));
  std::string text(4096, '\0');
  std::size_t length = text.size();
  const auto* data = reinterpret_cast<const unsigned char*>(cipher.data());
  if (!context || EVP_PKEY_decrypt_init(context.get()) != 1 ||
      EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PADDING) != 1 ||
      EVP_PKEY_decrypt(context.get(), reinterpret_cast<unsigned char*>(text.data()), &length, data, cipher.size()) !=
          1) {
    throw ValueError("the text cannot be decrypted by this key");
  }
  text.resize(length);
  return Value::of(std::move(text));
}

Value jsondecode(const Values& arguments) {
  const Source source("JSON", arguments[0].text());
  try {
    return json_value(source);
  } catch (const Error& error) {
    throw ValueError(error.message());
  }
}

std::string_view describe_fault(CsvRecord::Fault fault) {
  switch (fault) {
    case CsvRecord::Fault::open_quote:
      return "a quote without its partner";
    case CsvRecord::Fault::text_behind_quote:
      return "text behind a quote";
    case CsvRecord::Fault::quote_inside:
      break;
  }
  return "a quote inside a field";
}

// A blank line is no row.
std::vector<std::vector<std::string>> csv_rows(std::string_view text) {
  std::vector<std::vector<std::string>> rows;
  const auto line_end_at = [&](std::size_t at) -> std::size_t {
    return text.substr(at).starts_with("\r\n") ? 2 : text.substr(at).starts_with('\n') ? 1 : 0;
  };
  for (std::size_t at = 0; at < text.size();) {
    if (const std::size_t blank = line_end_at(at); blank > 0) {
      at += blank;
      continue;
    }
    CsvRecord record = read_csv_record(text, at, CsvLineEnds::end_a_record);
    if (record.fault) throw ValueError(fmt::format("row {}: {}", rows.size() + 1, describe_fault(*record.fault)));
    at = record.end + line_end_at(record.end);
    if (!rows.empty() && rows.front().size() != record.fields.size()) {
      throw ValueError(fmt::format("row {}: expected {} fields, got {}", rows.size() + 1, rows.front().size(),
                                   record.fields.size()));
    }
    rows.push_back(std::move(record.fields));
  }
  return rows;
}

Value csvdecode(const Values& arguments) {
  const auto rows = csv_rows(arguments[0].text());
  if (rows.empty()) throw ValueError("there is no line of names");
  std::map<std::string, Type> attributes;
  for (const std::string& name : rows.front()) {
    if (!attributes.emplace(name, Type::string()).second) {
      throw ValueError(fmt::format("the name '{}' is there twice", printable(name)));
    }
  }
  Values items;
  for (std::size_t i = 1; i < rows.size(); ++i) {
    Value::Members members;
    for (std::size_t k = 0; k < rows[i].size(); ++k) members[rows.front()[k]] = Value::of(rows[i][k]);
    items.push_back(Value::object(std::move(members)));
  }
  return Value::list(Type::object(std::move(attributes)), std::move(items));
}

Value homedir(const Values&) {
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home == '\0') throw ValueError("HOME is not set");
  return Value::of(home);
}

Value no_bytes(const Values&) { throw ValueError("it takes a buffer of bytes, which nothing in a bake file makes"); }

}  // namespace

FunctionTable encoding_functions() {
  const Parameter text{"str", Type::string()};
  const auto hashed = [&](const char* algorithm) {
    return Function{
        {text}, {}, [algorithm](const Values& v) { return Value::of(hex(digest(algorithm, v[0].text()))); }};
  };
  const Parameter number{"offset", Type::number()};
  return {
      {"base64decode", {{text}, {}, base64decode}},
      {"base64encode", {{text}, {}, [](const Values& v) { return Value::of(base64_encoded(v[0].text())); }}},
      {"bcrypt", {{text}, Parameter{"cost", Type::number()}, bcrypt, cost_of_bcrypt}},
      {"byteslen", {{{"buf", Type()}}, {}, no_bytes}},
      {"bytesslice", {{{"buf", Type()}, number, {"length", Type::number()}}, {}, no_bytes}},
      {"csvdecode", {{text}, {}, csvdecode}},
      {"homedir", {{}, {}, homedir}},
      {"jsondecode", {{text}, {}, jsondecode}},
      {"jsonencode",
       {{{"val", Type(), true}},
        {},
        [](const Values& v) {
          std::string json = to_json_text(v[0]);
          check_text_size(json.size());
          return Value::of(std::move(json));
        }}},
      {"md5", hashed("MD5")},
      {"rsadecrypt", {{{"ciphertext", Type::string()}, {"privatekey", Type::string()}}, {}, rsadecrypt}},
      {"sha1", hashed("SHA1")},
      {"sha256", hashed("SHA256")},
      {"sha512", hashed("SHA512")},
      {"urlencode", {{text}, {}, [](const Values& v) { return Value::of(url_encoded(v[0].text())); }}},
      {"uuidv4", {{}, {}, [](const Values&) { return Value::of(uuid_text(random_bytes(16), 4)); }}},
      {"uuidv5", {{{"namespace", Type::string()}, {"name", Type::string()}}, {}, uuidv5}},
  };
}

}  // namespace kiln::hcl
