#include "core/model/table_adapter.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/model/adapter_dropout.h"
#include "core/ops/ops.h"
#include "core/ops/product.h"

namespace adaptive {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

struct LowInput : torch::autograd::Function<LowInput> {
  // The adapter outlives every graph that mentions it (the decoder owns it).
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const LoraAdapter* adapter,
                        const DropoutKey& key) {
    const DropoutKey dropout = dropoutOf(*adapter, key);
    const Tensor input = seen(x, *adapter, dropout);
    ctx->save_for_backward({input});
    if (dropout) ctx->saved_data["dropout"] = static_cast<int64_t>(*dropout);
    ctx->saved_data["adapter"] = reinterpret_cast<int64_t>(adapter);
    return ops::product(input, adapter->a().compute().t()).mul_(adapter->scale());
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    const auto* adapter = reinterpret_cast<const LoraAdapter*>(ctx->saved_data["adapter"].toInt());
    DropoutKey dropout;
    if (ctx->saved_data.count("dropout")) dropout = static_cast<uint64_t>(ctx->saved_data["dropout"].toInt());
    const Tensor dLow = grads[0] * adapter->scale();
    adapter->a().accumulateOuter(dLow, ctx->get_saved_variables()[0]);
    return {seen(ops::product(dLow, adapter->a().compute()), *adapter, dropout), Tensor(), Tensor()};
  }
};

}  // namespace

TokenRows::TokenRows(const std::string& module, const std::vector<int64_t>& ids, int64_t width)
    : ids_(at::tensor(ids, at::kLong)),
      values_(std::make_unique<Parameter>(
          std::vector<ParameterPart>{
              {module + ".token_adapter.trainable_tokens_delta", {static_cast<int64_t>(ids.size()), width}}},
          false)) {
  at::Tensor(values_->master()).zero_();
}

void TokenRows::put(Parameter& table, const Tensor& rows) const {
  Tensor target = table.master();
  target.index_copy_(0, ids_, rows.to(target.scalar_type()));
  if (table.compute().is_same(table.master())) return;
  Tensor computed = table.compute();
  computed.index_copy_(0, ids_, rows.to(computed.scalar_type()));
}

void TokenRows::show(Parameter& table) {
  ids_ = ids_.to(table.master().device());
  if (!shown_) original_ = table.master().index_select(0, ids_);
  if (!begun_) at::Tensor(values_->master()).copy_(original_);
  begun_ = shown_ = true;
  put(table, values_->master());
}

void TokenRows::hide(Parameter& table) {
  if (!shown_) return;
  shown_ = false;
  put(table, original_);
}

void TokenRows::accumulateLookedUp(const Tensor& ids, const Tensor& dRows) const {
  if (!values_->trainable()) return;
  // Few rows are trained of many that are looked up.
  const Tensor hits = ids.unsqueeze(1).eq(ids_.unsqueeze(0)).nonzero();
  if (hits.size(0) == 0) {
    values_->gradientToAddTo();
    return;
  }
  ops::addRows_(values_->gradientToAddTo(), hits.select(1, 1).contiguous(),
                dRows.index_select(0, hits.select(1, 0).contiguous()).to(at::kFloat), 1);
}

void TokenRows::accumulateOuter(const ops::LogitGradient& dy, const Tensor& x) const {
  values_->accumulateOuter(dy.columns(ids_), x);
}

Tensor lowInput(const Tensor& x, const LoraAdapter& adapter, const DropoutKey& key) {
  return LowInput::apply(x, &adapter, key);
}

}  // namespace adaptive
