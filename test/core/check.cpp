#include "check.h"

#include <ATen/CPUGeneratorImpl.h>

#include <sstream>

namespace adaptive::test {

std::string messageOfLibtorch() {
  try {
    throw;
  } catch (const c10::Error& error) {
    const std::string words = error.what_without_backtrace();
    return "libtorch: " + words.substr(0, words.find(". This could be"));
  } catch (...) {
    return currentMessage();
  }
}

void checkNear(double actual, double expected, double tolerance, const std::string& what, Where where) {
  // Written so that a NaN fails.
  if (std::abs(actual - expected) <= tolerance) return;
  std::ostringstream message;
  message.precision(12);
  message << "expected " << what << " " << expected << " ± " << tolerance << ", found " << actual;
  failAt(where, message.str());
}

void checkClose(const at::Tensor& actual, const at::Tensor& expected, double tolerance,
                const std::string& what, Where where) {
  if (actual.sizes() != expected.sizes())
    failAt(where, c10::str("expected ", what, " of shape ", expected.sizes(), ", found ", actual.sizes()));
  if (expected.numel() == 0) return;
  const at::Tensor a = actual.detach().to(at::kDouble).contiguous().view(-1),
                   e = expected.detach().to(at::kDouble).contiguous().view(-1);
  const double scale = std::max(e.abs().max().item<double>(), 1e-30);
  const at::Tensor gap = (a - e).abs();
  const auto worst = gap.argmax().item<int64_t>();  // a NaN counts as the largest
  if (gap[worst].item<double>() <= tolerance * scale) return;
  std::ostringstream message;
  message.precision(9);
  message << what << " of shape " << expected.sizes() << " differs at entry " << worst << ": expected "
          << e[worst].item<double>() << ", found " << a[worst].item<double>() << " ("
          << gap[worst].item<double>() / scale << " of the largest entry, " << tolerance << " allowed; "
          << gap.gt(tolerance * scale).sum().item<int64_t>() << " of " << gap.numel() << " entries)";
  failAt(where, message.str());
}

void checkSame(const at::Tensor& actual, const at::Tensor& expected, const std::string& what, Where where) {
  if (actual.scalar_type() != expected.scalar_type() || !actual.equal(expected)) {
    failAt(where,
           "expected the very same " + what + "; largest difference " +
               (actual.sizes() == expected.sizes()
                    ? c10::str((actual.to(at::kDouble) - expected.to(at::kDouble)).abs().max().item<double>())
                    : c10::str(actual.sizes(), " against ", expected.sizes())));
  }
}

void checkFails(const std::string& code, const std::string& words, const std::function<void()>& work,
                Where where) {
  try {
    work();
  } catch (const Error& error) {
    if (error.code() != code || std::string(error.what()).find(words) == std::string::npos) {
      failAt(where,
             c10::str("expected ", code, " with \"", words, "\", found ", error.code(), ": ", error.what()));
    }
    return;
  }
  failAt(where, "expected " + code + ", but nothing was thrown");
}

at::Tensor normal(at::IntArrayRef shape, uint64_t seed) {
  return at::randn(shape, at::detail::createCPUGenerator(seed), at::TensorOptions().dtype(at::kDouble));
}

}  // namespace adaptive::test
