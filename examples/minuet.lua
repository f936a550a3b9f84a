-- minuet (github.com/milanglacier/minuet-ai.nvim), for Neovim.
require('minuet').setup {
  provider = 'openai_fim_compatible',
  n_completions = 3, -- equal requests, whose prompt is read once
  context_window = 4000, -- characters
  request_timeout = 3,
  provider_options = {
    openai_fim_compatible = {
      name = 'lipogram',
      end_point = 'http://127.0.0.1:8000/v1/completions',
      api_key = 'TERM', -- the name of any environment variable that is set
      model = 'embedded-2k',
      stream = true,
      optional = {
        max_tokens = 48,
        top_p = 0.9,
      },
    },
  },
}
