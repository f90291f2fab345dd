"""Adapters for objects of other libraries; none of them imports the library it adapts."""
