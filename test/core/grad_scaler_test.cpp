// Dynamic loss scaling: simulated overflows, growth, and a restart.
#include "core/optim/grad_scaler.h"

#include <cmath>

#include "check.h"

using namespace adaptive;
using namespace adaptive::test;

TEST("grad scaler: an overflow skips the step and halves the scale") {
  GradScaler scaler;
  check(scaler.scale() == 65536, "torch.amp's first scale");
  check(scaler.update(3.0), "a finite norm to take the step");
  check(!scaler.update(INFINITY) && !scaler.update(NAN), "overflows to skip it");
  check(scaler.scale() == 16384, "two halvings");
}

TEST("grad scaler: 2,000 good steps in a row double the scale") {
  GradScaler scaler;
  for (int i = 0; i < 1999; i++) scaler.update(1);
  check(scaler.scale() == 65536, "no growth before");
  scaler.update(INFINITY);  // the count begins again
  for (int i = 0; i < 1999; i++) scaler.update(1);
  check(scaler.scale() == 32768, "no growth before");
  scaler.update(1);
  check(scaler.scale() == 65536, "growth after 2,000");
}

TEST("grad scaler: float16 gradients that would vanish survive, and the weights are the unscaled ones'") {
  // 1e-8 is below float16's smallest value; times the scale it is not.
  GradScaler scaler;
  const float gradient = 1e-8f;
  const at::Tensor scaled = at::full({1}, gradient * scaler.scale(), at::kHalf);
  check(at::full({1}, gradient, at::kHalf).item<double>() == 0, "an underflow without");
  const double inverse = 1 / scaler.scale();
  check(scaler.update(scaled.item<double>()), "a step");
  checkNear(scaled.item<double>() * inverse, gradient, 1e-11, "gradient");
  // 10 times the scale overflows float16; the scale falls until it does not.
  int skipped = 0;
  while (!scaler.update(at::full({1}, 10 * scaler.scale(), at::kFloat).to(at::kHalf).item<double>()))
    skipped++;
  check(skipped == 4 && scaler.scale() == 4096, c10::str("4 skips, found ", skipped));
}

TEST("grad scaler: a restart goes on") {
  GradScaler scaler;
  scaler.update(INFINITY);
  for (int i = 0; i < 1500; i++) scaler.update(1);
  GradScaler restarted(scaler.state());
  for (int i = 0; i < 500; i++) restarted.update(1);
  check(restarted.scale() == 65536, "the count of before");
}
