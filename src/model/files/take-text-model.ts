/** How to get at the text model of one that takes more than text. */
export const takeTextModel =
  'Take the text model out in Python: m = AutoModelForImageTextToText.from_pretrained(dir); ' +
  't = AutoModelForCausalLM.from_config(m.config.get_text_config()); ' +
  't.model.load_state_dict(m.model.language_model.state_dict()); t.lm_head.load_state_dict(m.lm_head.state_dict()); ' +
  't.save_pretrained("text").';
