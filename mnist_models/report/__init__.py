"""What people read of a run: the page, its plots and tables, and figures for programs.

Imports all other packages but `programs`; only `data_page` imports it.
"""
