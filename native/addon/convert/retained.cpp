#include "addon/convert/retained.h"

namespace adaptive::addon {

Napi::Object toJs(Napi::Env env, const Retained& retained) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("divergence", retained.divergence);
  out.Set("tokens", static_cast<double>(retained.tokens));
  return out;
}

}  // namespace adaptive::addon
