#include "core/model/expert_groups.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/upload.h"

namespace adaptive {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

/// Adds up the rows of each token, float32 [tokens, width].
Tensor sumOfRows(const Tensor& grouped, const Tensor& rows) {
  Tensor sum = grouped.index_select(0, rows[0]).to(at::kFloat);
  for (int64_t choice = 1; choice < rows.size(0); choice++) sum.add_(grouped.index_select(0, rows[choice]));
  return sum;
}

struct Grouped : torch::autograd::Function<Grouped> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& tokens, const Tensor& rows) {
    ctx->save_for_backward({rows});
    return x.index_select(0, tokens);
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    const Tensor dx = sumOfRows(grads[0], ctx->get_saved_variables()[0]);
    return {dx.to(grads[0].scalar_type()), Tensor(), Tensor()};
  }
};

struct Combined : torch::autograd::Function<Combined> {
  static Tensor forward(AutogradContext* ctx, const Tensor& y, const Tensor& weights, const Tensor& tokens,
                        const Tensor& rows) {
    ctx->save_for_backward({y, weights, tokens, rows});
    Tensor sum = at::zeros({rows.size(1), y.size(1)}, y.options().dtype(at::kFloat));
    for (int64_t choice = 0; choice < rows.size(0); choice++)
      sum.addcmul_(y.index_select(0, rows[choice]), weights.narrow(1, choice, 1));
    return sum;
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    const auto saved = ctx->get_saved_variables();
    const Tensor &y = saved[0], &weights = saved[1], &tokens = saved[2], &rows = saved[3];
    const Tensor dSum = grads[0].index_select(0, tokens);
    const Tensor dWeights = (dSum * y).sum(1, false, at::kFloat);
    // rows sends [active, tokens] to the groups' order; its inverse sends the weights there.
    const Tensor ofRows = at::empty({y.size(0)}, weights.options());
    ofRows.index_copy_(0, rows.view(-1), weights.t().reshape(-1));
    return {(dSum * ofRows.unsqueeze(1)).to(y.scalar_type()),
            dWeights.index_select(0, rows.view(-1)).view(rows.sizes()).t(), Tensor(), Tensor()};
  }
};

}  // namespace

ExpertGroups groupsOf(const Tensor& chosen, int64_t experts) {
  const int64_t tokens = chosen.size(0), active = chosen.size(1);
  const Tensor list = chosen.cpu().contiguous();
  const auto* expert = list.const_data_ptr<int64_t>();
  ExpertGroups groups;
  groups.firstRow.assign(experts + 1, 0);
  for (int64_t i = 0; i < tokens * active; i++) groups.firstRow[expert[i] + 1]++;
  for (int64_t e = 0; e < experts; e++) groups.firstRow[e + 1] += groups.firstRow[e];
  std::vector<int64_t> tokenOf(tokens * active), rowOf(active * tokens);
  std::vector<int64_t> next(groups.firstRow.begin(), groups.firstRow.end() - 1);
  for (int64_t token = 0; token < tokens; token++) {
    for (int64_t choice = 0; choice < active; choice++) {
      const int64_t row = next[expert[token * active + choice]]++;
      tokenOf[row] = token;
      rowOf[choice * tokens + token] = row;
    }
  }
  Upload upload(chosen.device());
  upload.add(tokenOf, groups.tokens);
  upload.add(rowOf, groups.rows);
  upload.send();
  groups.rows = groups.rows.view({active, tokens});
  return groups;
}

Tensor grouped(const Tensor& x, const ExpertGroups& groups) {
  return Grouped::apply(x, groups.tokens, groups.rows);
}

Tensor combined(const Tensor& y, const Tensor& weights, const ExpertGroups& groups) {
  return Combined::apply(y, weights, groups.tokens, groups.rows);
}

}  // namespace adaptive
