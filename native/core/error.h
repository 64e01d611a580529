// The one exception of core. `code` is an ErrorCode of src/errors.ts; the addon carries it across unchanged.
#pragma once
#include <c10/util/StringUtil.h>

#include <stdexcept>
#include <string>

namespace adaptive {

class Error : public std::runtime_error {
 public:
  Error(std::string code, const std::string& message) : std::runtime_error(message), code_(std::move(code)) {}
  const std::string& code() const { return code_; }

 private:
  std::string code_;
};

/// Throws Error(code, all further arguments joined).
template <class... Parts>
[[noreturn]] void fail(const char* code, const Parts&... parts) {
  throw Error(code, c10::str(parts...));
}

}  // namespace adaptive
