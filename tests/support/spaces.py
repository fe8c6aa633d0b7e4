"""Spaces that tests deploy."""

SPACE = """
version: "2.0"
services:
  web:
    image: nginx:1.27
    depends-on: [cache]
    expose:
      - {port: 80, to: [{global: true}]}
  cache:
    image: redis:7
    expose:
      - {port: 6379}
  api:
    image: node:22
    expose:
      - {port: 3000, to: [{service: web}]}
deployment:
  web: {lagrange: {count: 1}}
  cache: {lagrange: {count: 1}}
  api: {lagrange: {count: 2}}
"""
