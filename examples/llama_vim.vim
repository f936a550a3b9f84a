" llama.vim (github.com/ggml-org/llama.vim): goes into ~/.vimrc or init.vim, before the plug-in loads.
let g:llama_config = {
    \ 'endpoint_fim': 'http://127.0.0.1:8000/infill',
    \ 'model_fim': 'embedded-2k',
    \ 'api_key': '',
    \ 'n_prefix': 128,
    \ 'n_suffix': 32,
    \ 'n_predict': 48,
    \ 't_max_predict_ms': 1000,
    \ 'ring_n_chunks': 2,
    \ 'ring_chunk_size': 32,
    \ }
