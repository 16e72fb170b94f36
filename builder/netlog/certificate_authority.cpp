#include "builder/netlog/certificate_authority.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "base/error.hpp"

namespace kiln {

namespace {

constexpr long kBackdatedSeconds =
    24L * 3600;  // a container's clock is the machine's, a program's idea of it may not be
constexpr long kLifetimeSeconds = 7L * 24 * 3600;
constexpr char kAuthorityName[] = "kiln recording proxy";

template <auto Free>
struct FreedBy {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using KeyPointer = std::unique_ptr<EVP_PKEY, FreedBy<EVP_PKEY_free>>;
using CertificatePointer = std::unique_ptr<X509, FreedBy<X509_free>>;

[[noreturn]] void fail_with_openssl(const char* what) {
  throw Error(Category::machine, fmt::format("OpenSSL cannot {}", what));
}

template <class Pointer>
Pointer made(Pointer pointer, const char* what) {
  if (!pointer) fail_with_openssl(what);
  return pointer;
}

KeyPointer new_key() { return made(KeyPointer(EVP_EC_gen("P-256")), "make a key"); }

void add_extension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, FreedBy<X509_EXTENSION_free>> extension(
      X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  if (!extension || X509_add_ext(certificate, extension.get(), -1) != 1) fail_with_openssl("add an extension");
}

// What an authority's certificate and a host's have in common. Names stand in extensions alone: a common name has 64
// bytes at most.
CertificatePointer begin_certificate(EVP_PKEY* key, const char* subject, const char* issuer) {
  auto certificate = made(CertificatePointer(X509_new()), "make a certificate");
  unsigned char serial[16];
  if (RAND_bytes(serial, sizeof serial) != 1) fail_with_openssl("read random numbers");
  serial[0] &= 0x7f;
  serial[0] |= 0x40;
  const std::unique_ptr<BIGNUM, FreedBy<BN_free>> number(BN_bin2bn(serial, sizeof serial, nullptr));
  BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate.get()));
  X509_set_version(certificate.get(), X509_VERSION_3);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -kBackdatedSeconds);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), kLifetimeSeconds);
  X509_set_pubkey(certificate.get(), key);
  const auto set_name = [](X509_NAME* name, const char* text) {
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(text), -1, -1, 0);
  };
  set_name(X509_get_subject_name(certificate.get()), subject);
  set_name(X509_get_issuer_name(certificate.get()), issuer);
  return certificate;
}

void sign_with(X509* certificate, EVP_PKEY* key) {
  if (X509_sign(certificate, key, EVP_sha256()) == 0) fail_with_openssl("sign a certificate");
}

std::string pem_of(X509* certificate) {
  const std::unique_ptr<BIO, FreedBy<BIO_free_all>> memory(BIO_new(BIO_s_mem()));
  if (!memory || PEM_write_bio_X509(memory.get(), certificate) != 1) fail_with_openssl("write a certificate");
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &bytes);
  return {bytes, static_cast<std::size_t>(size)};
}

bool is_address(const std::string& host) {
  in6_addr address{};
  return ::inet_pton(AF_INET, host.c_str(), &address) == 1 || ::inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

// HTTP/1.1 is all that the proxy reads. Who offers protocols without it is refused by an alert that says so.
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                    unsigned int offered_size, void*) {
  static constexpr unsigned char kOurs[] = "\x08http/1.1";
  unsigned char* found = nullptr;
  if (SSL_select_next_proto(&found, size, kOurs, sizeof kOurs - 1, offered, offered_size) != OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

struct CertificateAuthority::State {
  KeyPointer key = new_key();
  KeyPointer host_key = new_key();  // one for all hosts
  CertificatePointer own;
  std::string own_pem;
  std::mutex mutex;  // for what is below
  std::map<std::string, std::shared_ptr<void>> contexts;
};

CertificateAuthority::CertificateAuthority() : state_(std::make_unique<State>()) {
  state_->own = begin_certificate(state_->key.get(), kAuthorityName, kAuthorityName);
  X509* own = state_->own.get();
  add_extension(own, own, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  add_extension(own, own, NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(own, own, NID_subject_key_identifier, "hash");
  sign_with(own, state_->key.get());
  state_->own_pem = pem_of(own);
}

CertificateAuthority::~CertificateAuthority() = default;

const std::string& CertificateAuthority::certificate() const noexcept { return state_->own_pem; }

std::shared_ptr<void> CertificateAuthority::context_for(const std::string& host) {
  const std::lock_guard lock(state_->mutex);
  if (const auto known = state_->contexts.find(host); known != state_->contexts.end()) return known->second;
  const CertificatePointer certificate =
      begin_certificate(state_->host_key.get(), "kiln recorded host", kAuthorityName);
  X509* own = state_->own.get();
  add_extension(certificate.get(), own, NID_basic_constraints, "critical,CA:FALSE");
  add_extension(certificate.get(), own, NID_key_usage, "critical,digitalSignature");
  add_extension(certificate.get(), own, NID_ext_key_usage, "serverAuth");
  add_extension(certificate.get(), own, NID_subject_key_identifier, "hash");
  add_extension(certificate.get(), own, NID_authority_key_identifier, "keyid:always");
  // The host has only the characters of a name or an address: see HttpAuthority.
  add_extension(certificate.get(), own, NID_subject_alt_name, (is_address(host) ? "IP:" : "DNS:") + host);
  sign_with(certificate.get(), state_->key.get());

  const std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!context || SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) != 1 ||
      SSL_CTX_use_certificate(context.get(), certificate.get()) != 1 ||
      SSL_CTX_use_PrivateKey(context.get(), state_->host_key.get()) != 1) {
    fail_with_openssl("prepare TLS");
  }
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_alpn_select_cb(context.get(), choose_protocol, nullptr);
  if (state_->contexts.size() < kMostHosts) state_->contexts.emplace(host, context);
  return context;
}

}  // namespace kiln
