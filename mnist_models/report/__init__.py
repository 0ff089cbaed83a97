"""What people read of a run: the page, its plots and tables, and figures for programs.

The plots of a study have a room of their own, `studies`. Imports all packages below but `programs`; only `data_page`
and `lineage` import it.
"""
