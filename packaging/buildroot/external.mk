include $(BR2_EXTERNAL_CNIBOX_PATH)/package/cnibox/cnibox.mk
