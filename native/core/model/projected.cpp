#include "core/model/projected.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "core/model/adapter_dropout.h"
#include "core/model/weight_product.h"
#include "core/ops/product.h"

namespace adaptive {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

/// Adds an adapter's part to y; → (x·Aᵀ, and with a magnitude what it scales) for backward.
std::pair<Tensor, Tensor> addTo(const Tensor& y, const LoraAdapter& adapter, const Projection& projection,
                                const Tensor& x, const DropoutKey& key) {
  const DropoutKey dropout = dropoutOf(adapter, key);
  const Tensor input = seen(x, adapter, dropout);
  const Tensor low = ops::product(input, adapter.a().compute().t());
  const Tensor raise = adapter.b().compute().t();
  Tensor rows = y.narrow(1, adapter.firstRow(), adapter.outputs());
  if (!adapter.magnitude()) {
    ops::addProduct(rows, low, raise, adapter.scale());
    return {low, Tensor()};
  }
  // PEFT drops entries of x in the whole of what is rescaled, and adds the plain product of all of x to it.
  Tensor scaled;
  if (dropout) {
    scaled = forwardProduct(input, *projection.weight, adapter.weightRows());
    rows.sub_(scaled);
  } else {
    const Tensor bias =
        projection.bias ? adapter.rowsOf(projection.bias->compute()) : at::zeros({1}, y.options());
    scaled = rows - bias;
    rows.copy_(bias.expand_as(rows));
  }
  ops::addProduct(scaled, low, raise, adapter.scale());
  rows.addcmul_(scaled, adapter.rowScale());
  return {low, scaled};
}

/// Gives back what an adapter's first value took out of the weight.
void addFirst(const Tensor& y, const LoraAdapter& adapter, const Tensor& x) {
  if (!adapter.firstA().defined()) return;
  const Tensor low = ops::product(x, adapter.firstA().to(x.scalar_type()).t());
  ops::addProduct(y.narrow(1, adapter.firstRow(), adapter.outputs()), low,
                  adapter.firstB().to(x.scalar_type()).t(), adapter.scale());
}

/// Gathers an adapter's gradients and adds its part to dx, which holds that of the plain product.
void goBack(const LoraAdapter& adapter, const Projection& projection, const Tensor& x, const Tensor& low,
            const Tensor& scaled, const DropoutKey& key, const Tensor& dy, Tensor& dx) {
  const DropoutKey dropout = dropoutOf(adapter, key);
  Tensor dRows = dy.narrow(1, adapter.firstRow(), adapter.outputs());
  Tensor dInput;
  if (Parameter* magnitude = adapter.magnitude()) {
    magnitude->accumulate((dRows * scaled).sum(0, false, at::kFloat) / adapter.norm());
    const Tensor plain = dRows;
    dRows = dRows * adapter.rowScale();
    // The plain product passed dy on whole; of it stays what is not rescaled.
    dInput = backwardProduct(dRows - plain, *projection.weight, adapter.weightRows());
  }
  adapter.b().accumulateOuter(dRows, low * adapter.scale());
  const Tensor dLow = ops::product(dRows, adapter.b().compute()).mul_(adapter.scale());
  adapter.a().accumulateOuter(dLow, seen(x, adapter, dropout));
  if (dInput.defined()) {
    ops::addProduct(dInput, dLow, adapter.a().compute());
  } else if (!dropout) {
    ops::addProduct(dx, dLow, adapter.a().compute());
    return;
  } else {
    dInput = ops::product(dLow, adapter.a().compute());
  }
  dx.add_(seen(dInput, adapter, dropout));
}

/// Whether all adapters read x itself and nothing but the low-rank part is added: then x is read once for
/// all.
bool readTogether(const Projection& projection, const DropoutKey& key) {
  const auto& adapters = projection.adapters;
  return adapters.size() > 1 && std::none_of(adapters.begin(), adapters.end(), [&](const auto& adapter) {
           return adapter->magnitude() || dropoutOf(*adapter, key);
         });
}

/// The A of all adapters below each other.
Tensor allA(const Projection& projection) {
  std::vector<Tensor> all;
  for (const auto& adapter : projection.adapters) all.push_back(adapter->a().compute());
  return at::cat(all);
}

/// f(adapter, its columns of x·allAᵀ).
template <class F>
void forLow(const Projection& projection, const Tensor& low, const F& f) {
  int64_t first = 0;
  for (const auto& adapter : projection.adapters) {
    const int64_t rank = adapter->a().master().size(0);
    f(*adapter, low.narrow(1, first, rank));
    first += rank;
  }
}

/// addTo() of all adapters; → x·allAᵀ for backward.
Tensor addAllTo(const Tensor& y, const Projection& projection, const Tensor& x) {
  const Tensor low = ops::product(x, allA(projection).t());
  forLow(projection, low, [&](const LoraAdapter& adapter, const Tensor& own) {
    ops::addProduct(y.narrow(1, adapter.firstRow(), adapter.outputs()), own, adapter.b().compute().t(),
                    adapter.scale());
  });
  return low;
}

/// goBack() of all adapters.
void goBackTogether(const Projection& projection, const Tensor& x, const Tensor& low, const Tensor& dy,
                    const Tensor& dx) {
  const Tensor dLow = at::empty_like(low);
  forLow(projection, dLow, [&](const LoraAdapter& adapter, const Tensor& own) {
    ops::productInto(own, dy.narrow(1, adapter.firstRow(), adapter.outputs()), adapter.b().compute());
    Tensor(own).mul_(adapter.scale());
  });
  forLow(projection, low, [&](const LoraAdapter& adapter, const Tensor& own) {
    adapter.b().accumulateOuter(dy.narrow(1, adapter.firstRow(), adapter.outputs()), own * adapter.scale());
  });
  const Tensor dA = ops::product(dLow.t(), x).t();
  forLow(projection, dA,
         [](const LoraAdapter& adapter, const Tensor& own) { adapter.a().accumulate(own.t()); });
  ops::addProduct(dx, dLow, allA(projection));
}

struct Projected : torch::autograd::Function<Projected> {
  // The projection outlives every graph that mentions it (the decoder owns it).
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Projection* projection,
                        const DropoutKey& key, bool adapts) {
    const Parameter& weight = *projection->weight;
    const WeightRows rows = allRows(weight);
    const Parameter* bias = projection->bias.get();
    Tensor y;
    if (bias) {
      y = bias->compute().expand({x.size(0), rows.count}).clone(at::MemoryFormat::Contiguous);
      addForward(y, x, weight, rows);
    } else {
      y = forwardProduct(x, weight, rows);
    }
    tensor_list saved;
    // A frozen weight needs no input in backward.
    if (projection->weight->trainable() || !projection->adapters.empty()) saved.push_back(x);
    if (!adapts) {
      for (const auto& adapter : projection->adapters) addFirst(y, *adapter, x);
      return y;
    }
    if (readTogether(*projection, key)) {
      saved.push_back(addAllTo(y, *projection, x));
    } else {
      for (const auto& adapter : projection->adapters) {
        const auto [low, scaled] = addTo(y, *adapter, *projection, x, key);
        saved.push_back(low);
        saved.push_back(scaled);
      }
    }
    ctx->save_for_backward(saved);
    ctx->saved_data["projection"] = reinterpret_cast<int64_t>(projection);
    if (key) ctx->saved_data["key"] = static_cast<int64_t>(*key);
    return y;
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    const auto* projection = reinterpret_cast<const Projection*>(ctx->saved_data["projection"].toInt());
    DropoutKey key;
    if (ctx->saved_data.count("key")) key = static_cast<uint64_t>(ctx->saved_data["key"].toInt());
    const auto saved = ctx->get_saved_variables();
    const Tensor dy = grads[0].contiguous();
    if (projection->bias && projection->bias->trainable())
      projection->bias->accumulate(dy.sum(0, false, at::kFloat));
    if (projection->weight->trainable()) projection->weight->accumulateOuter(dy, saved[0]);
    Tensor dx = backwardProduct(dy, *projection->weight, allRows(*projection->weight));
    if (readTogether(*projection, key)) {
      goBackTogether(*projection, saved[0], saved[1], dy, dx);
      return {dx, Tensor(), Tensor(), Tensor()};
    }
    for (size_t i = 0; i < projection->adapters.size(); i++) {
      goBack(*projection->adapters[i], *projection, saved[0], saved[1 + 2 * i], saved[2 + 2 * i], key, dy,
             dx);
    }
    return {dx, Tensor(), Tensor(), Tensor()};
  }
};

}  // namespace

Tensor projected(const Tensor& x, const Projection& projection, const DropoutKey& key, bool adapts) {
  return Projected::apply(x, &projection, key, adapts);
}

}  // namespace adaptive
