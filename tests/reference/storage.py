# SPDX-License-Identifier: MIT
"""The safetensors format by hand: an eight-byte length, a JSON header, raw little-endian numbers."""
import json
import struct

import numpy as np
import torch

DTYPES = {'F64': np.float64, 'F32': np.float32, 'I64': np.int64}


def dtype_of(tensor):
    return {torch.float64: 'F64', torch.float32: 'F32', torch.int64: 'I64'}[tensor.dtype]


def write(path, tensors, metadata):
    """tensors: name -> torch tensor (float64, float32 or int64); metadata: name -> str. In the order given."""
    header, chunks, offset = {'__metadata__': metadata}, [], 0
    for name, tensor in tensors.items():
        dtype = dtype_of(tensor)
        data = np.ascontiguousarray(tensor.detach().numpy()).astype('<' + DTYPES[dtype]().dtype.str[1:]).tobytes()
        header[name] = {'dtype': dtype, 'shape': list(tensor.shape), 'data_offsets': [offset, offset + len(data)]}
        chunks.append(data)
        offset += len(data)
    text = json.dumps(header, separators=(',', ':')).encode('ascii')
    text += b' ' * (-len(text) % 8)
    with open(path, 'wb') as file:
        file.write(struct.pack('<Q', len(text)) + text + b''.join(chunks))


def read(path):
    """(tensors, metadata) of a file that write() wrote."""
    with open(path, 'rb') as file:
        data = file.read()
    size, = struct.unpack('<Q', data[:8])
    header, body = json.loads(data[8:8 + size]), data[8 + size:]
    metadata, tensors = header.pop('__metadata__'), {}
    for name, entry in header.items():
        first, last = entry['data_offsets']
        values = np.frombuffer(body[first:last], dtype=DTYPES[entry['dtype']]).reshape(entry['shape'])
        tensors[name] = torch.from_numpy(values.copy())
    return tensors, metadata
